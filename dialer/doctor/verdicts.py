"""From facts to findings: pure, so that every verdict can be proved without its trouble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dialer.amounts import counted, few
from dialer.config_faults import Fault
from dialer.doctor.findings import Check, Finding, Level

MS: Final = 1000
MIB: Final = 1 << 20
HOUR_MS: Final = 3_600_000
#: A nightly backup that is older than this was missed.
BACKUP_MS: Final = 26 * HOUR_MS
#: With less room the database cannot be written for long; with less than the second, backups of
#: it and its log may not fit.
LEAST_ROOM: Final = 64 * MIB
ROOM: Final = 1024 * MIB
#: SQLite's log is given back from 4 MiB on (https://sqlite.org/wal.html#ckpt), and one long reading
#: may let it grow beyond a small database; larger than the database, or than this, it stays.
SMALL_LOG: Final = 64 * MIB
LARGE_LOG: Final = 1024 * MIB
#: A clock that is off by more moves calls out of their hours, or breaks signed connections.
SKEW_WARN_S: Final = 2.0
SKEW_FAIL_S: Final = 30.0
#: Zone data of the year before last lacks rules that are in force.
ZONE_YEARS: Final = 2
#: Below it the credit ends within a day of calls.
LOW_BALANCE: Final = 5.0
#: The answers of our own web server to an unsigned request, and to a signed one about no call.
UNSIGNED: Final = 403
SIGNED: Final = 400
#: So many of what was found are named.
EXAMPLES: Final = 3

_LOST: Final = "the carrier could not tell how calls end; they would wait until they are looked up"
_NOBODY: Final = "nobody can be called"


# -- this machine ---------------------------------------------------------------------------------


def config(
    faults: Sequence[Fault], origins: Mapping[str, int], *, in_force: bool = True
) -> Finding:
    """*origins* counts the settings by the kind of place that decides them; faults that are not
    *in_force* are overridden by other places.
    """
    if faults:
        first = faults[0]
        what = f"{first.place}: {first.key}".rstrip(": ")
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        why = first.why + (f"; did you mean {first.meant}?" if first.meant else "")
        text, fix = f"{what}: {why}{more}", "dialer config validate"
        if in_force:
            means = "no daemon starts with it"
            return Finding(Check.CONFIG, Level.FAIL, text, means, fix)
        means = "it counts as soon as no other place overrides it"
        return Finding(Check.CONFIG, Level.WARN, text, means, fix)
    named = [f"{count} from {place}" for place, count in origins.items() if count]
    return Finding(Check.CONFIG, Level.OK, ", ".join(named) or "everything is as by default")


def data(modes: Mapping[str, int]) -> Finding:
    """*modes* are the permissions of the files that tell of people or hold secrets."""
    shared = [path for path, mode in modes.items() if mode & 0o007]
    if shared:
        return Finding(
            Check.DATA, Level.WARN,
            f"{few(shared, EXAMPLES)} may be read by everybody on this machine",
            "it holds people's numbers, or a secret", f"chmod o= {' '.join(shared)}",
        )  # fmt: skip
    shown = ", ".join(f"{path} {mode:04o}" for path, mode in modes.items())
    return Finding(Check.DATA, Level.OK, shown or "there are no files yet")


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What was found out about a database that is there and has this release's schema."""

    schema: str
    journal: str  # wal, or postgresql
    check_s: float | None  # how long the quick check took; None: there was no time for all of it
    data_bytes: int
    log_bytes: int | None
    backup_at: int | None
    backups: bool  # whether any are to be made
    ever_called: bool


def database(facts: DatabaseFacts, now: int) -> Finding:
    """A database that can be read and written; whatever else is wrong is an error's to tell."""
    parts = [f"schema {facts.schema}", facts.journal]
    if facts.check_s is not None:
        parts.append(f"quick check {facts.check_s:.2f} s")
    elif facts.journal == "wal":
        parts.append("quick check stopped for want of time")
    parts.append(f"{facts.data_bytes / MIB:,.1f} MiB")
    if facts.log_bytes:
        parts.append(f"log {facts.log_bytes / MIB:,.0f} MiB")
    parts.append(_backup_words(facts, now))
    level, why, fix = Level.OK, "", ""
    if facts.journal not in ("wal", "postgresql") and facts.ever_called:
        level, why = Level.WARN, "readers hold up the daemon"
        fix = "put it on a disk of this machine: write-ahead logging does not work elsewhere"
    elif _log_grows(facts):
        level, why = Level.WARN, "somebody reads without an end, and the disk fills meanwhile"
        fix = (
            "fuser -v on the file says who: end that program (an export nobody reads, an open"
            " sqlite3 shell); the log gives its space back tonight, or when the daemon restarts"
        )
    elif _backup_missed(facts, now):
        level = Level.WARN
        why = "who was called since, and who asked not to be, would be lost with the disk"
        fix = "dialer db backup"
    return Finding(Check.DATABASE, level, ", ".join(parts), why, fix)


def _backup_words(facts: DatabaseFacts, now: int) -> str:
    if not facts.backups:
        return "backups are not our business"
    if facts.backup_at is None:
        return "no backup yet"
    return f"last backup {max(0, now - facts.backup_at) / HOUR_MS:.0f} h ago"


def _log_grows(facts: DatabaseFacts) -> bool:
    bound = min(max(facts.data_bytes, SMALL_LOG), LARGE_LOG)
    return facts.log_bytes is not None and facts.log_bytes > bound


def _backup_missed(facts: DatabaseFacts, now: int) -> bool:
    if not facts.backups:
        return False
    if facts.backup_at is None:
        return facts.ever_called
    return now - facts.backup_at > BACKUP_MS


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """What can be known of the time; None for what cannot."""

    zone_data: str  # as in 2026.6
    year: int  # by this machine
    synchronised: bool | None
    skew_s: float | None  # how far we are ahead of the carrier


def clock(facts: ClockFacts) -> Finding:
    """The time decides who may be called."""
    zones = f"zone data {facts.zone_data}"
    why = "calls would be placed outside their hours, or not at all"
    skew = "" if facts.skew_s is None else f"{abs(facts.skew_s):.0f} s from the carrier's, "
    if facts.skew_s is not None and abs(facts.skew_s) > SKEW_WARN_S:
        level = Level.FAIL if abs(facts.skew_s) > SKEW_FAIL_S else Level.WARN
        fix = "let this machine follow a time server: systemctl enable --now systemd-timesyncd"
        return Finding(Check.CLOCK, level, f"{skew}{zones}", why, fix)
    if facts.year - int(facts.zone_data.partition(".")[0]) >= ZONE_YEARS:
        return Finding(
            Check.CLOCK, Level.WARN, f"{skew}{zones} is old",
            "clocks have changed their rules since, and calls would be an hour off",
            "install a newer release of dialer, or of its package tzdata",
        )  # fmt: skip
    if facts.synchronised is False and facts.skew_s is None:
        return Finding(
            Check.CLOCK, Level.WARN, f"nobody sets this machine's clock, {zones}", why,
            "systemctl enable --now systemd-timesyncd",
        )  # fmt: skip
    server = "follows a time server, " if facts.synchronised else ""
    return Finding(Check.CLOCK, Level.OK, f"{skew}{server}{zones}")


def disk(free_bytes: int, data_bytes: int, trouble: str = "") -> Finding:
    """*trouble* is why a small file could not be written beside the database."""
    free = f"{free_bytes / MIB:,.0f} MiB free"
    if trouble or free_bytes < LEAST_ROOM:
        return Finding(
            Check.DISK, Level.FAIL, f"{trouble}, {free}" if trouble else free,
            "a call that cannot be written down is not placed",
            "make room on the disk of the database, and let this user write its folder",
        )  # fmt: skip
    if free_bytes < max(ROOM, 2 * data_bytes):
        return Finding(
            Check.DISK, Level.WARN, free, "a backup and the log may not fit beside the database",
            "make room, or send backups elsewhere: dialer config set backup_dir FOLDER",
        )  # fmt: skip
    return Finding(Check.DISK, Level.OK, free)


class Port:
    """What was found at a port."""

    FREE: Final = "free"
    OURS: Final = "ours"
    ANOTHERS: Final = "in use by somebody else: the daemon of another database"
    TAKEN: Final = "taken"
    UNUSABLE: Final = "not an address of this machine"


def ports(found: Mapping[str, str]) -> Finding:
    """*found* says of each ``SETTING HOST:PORT`` what is there."""
    shown = ", ".join(f"{name.partition(' ')[2]} {state}" for name, state in found.items())
    bad = [name for name, state in found.items() if state not in (Port.FREE, Port.OURS)]
    if not bad:
        return Finding(Check.PORTS, Level.OK, shown)
    first = bad[0].partition(" ")[0]
    fix = f"dialer config set {first} NUMBER"
    if all(found[name] == Port.ANOTHERS for name in bad):
        why = "a daemon of this database cannot listen beside it"
        return Finding(Check.PORTS, Level.WARN, shown, why, f"{fix}, or stop the other daemon")
    level = Level.FAIL if first == "port" else Level.WARN  # nobody goes uncalled unwatched
    return Finding(Check.PORTS, level, shown, "another program answers there, or nobody can", fix)


# -- the engine -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """The daemons whose lease holds, by where they run; *failed* is what theirs says of itself."""

    versions: Mapping[str, str]
    ours: str  # the version of this command
    active: int  # campaigns that want to call
    failed: Mapping[str, str] | None = None  # None: it was not asked, or did not answer


def daemon(facts: DaemonFacts) -> Finding:
    """Whether somebody dials, and with the release that looks."""
    if not facts.versions:
        text, fix = "no daemon is running", "dialer run"
        if facts.active:
            why = f"{counted(facts.active, 'active campaign')} in want of one"
            return Finding(Check.DAEMON, Level.WARN, text, why, fix)
        return Finding(Check.DAEMON, Level.SKIP, text, fix=fix)
    if facts.failed:
        troubles = ", ".join(f"{name}: {why}" for name, why in facts.failed.items())
        return Finding(
            Check.DAEMON, Level.FAIL, f"it is not ready: {troubles}", _NOBODY,
            "dialer logs tail --level warning",
        )  # fmt: skip
    running = ", ".join(f"{place} {version}".rstrip() for place, version in facts.versions.items())
    others = [version for version in facts.versions.values() if version not in ("", facts.ours)]
    if others:
        return Finding(
            Check.DAEMON, Level.WARN, f"{running}; this command is {facts.ours}",
            "an upgrade counts from the daemon's next start on", "restart the daemon",
        )  # fmt: skip
    return Finding(Check.DAEMON, Level.OK, f"{running}, its lease holds")


def schedules(
    names: int, rules: int, broken: Mapping[str, str], rules_trouble: str = ""
) -> Finding:
    """*broken* says of schedules that cannot be read why."""
    why = "campaigns with it do not call"
    if rules_trouble:
        return Finding(
            Check.SCHEDULES, Level.FAIL, f"the calling rules cannot be read: {rules_trouble}",
            _NOBODY, "dialer rules list",
        )  # fmt: skip
    if broken:
        told = [f"{name!r}: {trouble}" for name, trouble in broken.items()]
        first = next(iter(broken))
        fix = f"dialer schedule edit {first!r} --help"
        return Finding(Check.SCHEDULES, Level.FAIL, few(told, EXAMPLES), why, fix)
    text = f"{counted(names, 'schedule')} and {counted(rules, 'rule')} can be read"
    return Finding(Check.SCHEDULES, Level.OK, text)


def holds(held: str | None, *, wants_reconciliation: bool) -> Finding:
    """*held* says by whom everything is held, and why."""
    if held is None:
        return Finding(Check.HOLDS, Level.OK, "nothing is held")
    fix = "dialer db reconcile" if wants_reconciliation else "dialer resume --all"
    text = f"everything is held by {held}"
    return Finding(Check.HOLDS, Level.WARN, text, "nobody is called until it is released", fix)


# -- the carrier ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the account says of itself, and by which names we know it; names are masked."""

    account: str
    key: str  # empty: the token places calls
    status: str
    kind: str
    balance: float | None
    currency: str
    calls_per_second: float


def account(facts: AccountFacts) -> Finding:
    """An account that took our credentials."""
    parts = [f"account {facts.account}"]
    parts += [f"key {facts.key}"] if facts.key else []
    parts += [f"{facts.balance:,.2f} {facts.currency}".strip()] if facts.balance is not None else []
    rate = (
        f"{facts.calls_per_second:g} per second" if facts.calls_per_second else "no limit of calls"
    )
    text = ", ".join([*parts, rate])
    if facts.status not in ("", "active"):
        return Finding(
            Check.TWILIO, Level.FAIL, f"the account is {facts.status}, {text}", _NOBODY,
            "ask the carrier what is wrong with the account",
        )  # fmt: skip
    if facts.kind.lower() == "trial":
        return Finding(
            Check.TWILIO, Level.WARN, f"a trial account, {text}",
            "it calls verified numbers only, and speaks of itself first",
            "upgrade it with the carrier",
        )  # fmt: skip
    if facts.balance is not None and facts.balance < LOW_BALANCE:
        return Finding(
            Check.TWILIO, Level.WARN, text, "calls end with the credit", "top it up at the carrier"
        )
    return Finding(Check.TWILIO, Level.OK, text)


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """A number that campaigns call from, as the account has it."""

    phone: str
    owned: bool
    voice: bool = True
    ours: bool = True  # whoever calls it hears our message


def numbers(found: Sequence[NumberFacts]) -> Finding:
    """The numbers that are switched on."""
    if not found:
        return Finding(
            Check.NUMBERS, Level.WARN, "there are none to call from", _NOBODY,
            "dialer numbers sync, or: dialer numbers add",
        )  # fmt: skip
    foreign = [each.phone for each in found if not each.owned]
    mute = [each.phone for each in found if each.owned and not each.voice]
    if foreign or mute:
        words = [f"{few(foreign, EXAMPLES)} not the account's"] if foreign else []
        words += [f"{few(mute, EXAMPLES)} without voice"] if mute else []
        return Finding(
            Check.NUMBERS, Level.FAIL, "; ".join(words),
            "the carrier refuses calls from there", f"dialer numbers disable {(foreign + mute)[0]}",
        )  # fmt: skip
    elsewhere = [each.phone for each in found if not each.ours]
    if elsewhere:
        return Finding(
            Check.NUMBERS, Level.WARN,
            f"{len(elsewhere)} of {len(found)} send their callers elsewhere:"
            f" {few(elsewhere, EXAMPLES)}",
            "who calls back cannot press 9 not to be called again",
            "let the number's voice URL be DIALER_PUBLIC_URL/twilio/incoming, by POST",
        )  # fmt: skip
    return Finding(Check.NUMBERS, Level.OK, f"{len(found)}, all the account's, with voice")


@dataclass(frozen=True, slots=True)
class WebhookFacts:
    """What the outside address answered; None where nobody did."""

    url: str
    unsigned: int | None
    signed: int | None
    trouble: str = ""  # why nobody answered


def webhook(facts: WebhookFacts) -> Finding:
    """Our own web server refuses who has not signed, and finds no call in what we send."""
    fix = "set DIALER_PUBLIC_URL to the outside address, then: dialer doctor webhook"
    if facts.unsigned is None:
        text = f"{facts.url} does not answer: {facts.trouble}"
        return Finding(Check.WEBHOOK, Level.FAIL, text, _LOST, fix)
    if facts.unsigned != UNSIGNED:
        text = f"{facts.url} answered {facts.unsigned}, expected {UNSIGNED}"
        return Finding(Check.WEBHOOK, Level.FAIL, text, _LOST, fix)
    if facts.signed != SIGNED:
        return Finding(
            Check.WEBHOOK, Level.FAIL,
            f"{facts.url} refuses what our auth token signs ({facts.signed})",
            _LOST,
            "give the daemon the same DIALER_PUBLIC_URL and auth token; a proxy must leave the"
            " path as it is",
        )  # fmt: skip
    return Finding(Check.WEBHOOK, Level.OK, f"{facts.url} takes what is signed, and nothing else")
