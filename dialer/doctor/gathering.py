"""Taking the facts: of this machine, of the database, of the carrier, of our own web server.

Nothing is written but a small file that is deleted again.
"""

import asyncio
import ctypes
import errno
import os
import shutil
import socket
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from dialer import __version__, hold, rule_book, schedules, standing
from dialer.carriers import twilio_account, twilio_probe
from dialer.carriers.twilio_account import Account, Login
from dialer.doctor.verdicts import DaemonFacts, DatabaseFacts, NumberFacts, Port, WebhookFacts
from dialer.errors import DialerError
from dialer.ports import Clock, Rng, Row, Tx
from dialer.settings import Settings
from dialer.states import CampaignStatus
from dialer.store.inspecting import inspect
from dialer.store.opening import SCHEMA
from dialer.store.phone_key import key_file
from dialer.store.viewing import view

#: What is written beside the database to see whether it can be.
PROBE_BYTES: Final = 256 * 1024
#: A port of this machine answers at once, or never.
PORT_TIMEOUT_S: Final = 2.0
#: The path of our own release, which tells our web server from others; see ``web/health.py``.
VERSION: Final = "/version"
_STA_UNSYNC: Final = 0x40  # linux/timex.h
_TIMEX_BYTES: Final = 512  # more than the kernel's struct has
_STATUS_AT: Final = 5  # of its longs: modes, offset, freq, maxerror, esterror, status


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What the database says of a deployment."""

    daemons: Sequence[standing.Daemon]
    held: hold.Hold | None
    numbers: Sequence[Row]
    active: int
    schedules: int
    broken: Mapping[str, str]  # schedules that cannot be read
    rules: int
    rules_trouble: str
    data_bytes: int
    backup_at: int | None
    ever_called: bool


async def seen(settings: Settings, rng: Rng, now: int) -> OnRecord:
    """Read the database without a trace; raises what keeps it from being read."""

    async def use_case(tx: Tx) -> OnRecord:
        return await _seen(tx, now)

    timeout_s = min(settings.busy_timeout_s, PORT_TIMEOUT_S)
    return await view(settings.database, rng, use_case, busy_timeout_s=timeout_s)


async def _seen(tx: Tx, now: int) -> OnRecord:
    rows = await schedules.listed(tx)
    counted = {row["status"]: row["campaigns"] for row in await tx.rows("campaigns_by_status")}
    rules, rules_trouble = await _rules(tx)
    return OnRecord(
        daemons=await standing.daemons(tx, now),
        held=await hold.standing(tx),
        numbers=[row for row in await tx.rows("list_numbers") if row["disabled_at"] is None],
        active=counted.get(CampaignStatus.ACTIVE, 0),
        schedules=len(rows),
        broken={row["name"]: why for row in rows if (why := _trouble(row))},
        rules=rules,
        rules_trouble=rules_trouble,
        data_bytes=await tx.value("database_bytes"),
        backup_at=await tx.value("last_backup_at"),
        ever_called=await tx.value("preflight_any_call") is not None,
    )


def _trouble(row: Row) -> str:
    try:
        schedules.schedule_of(row)
    except (DialerError, ValueError, KeyError, TypeError, AttributeError) as error:
        return str(error) or type(error).__name__
    return ""


async def _rules(tx: Tx) -> tuple[int, str]:
    try:
        return len((await rule_book.load(tx)).rules), ""
    except (DialerError, ValueError, KeyError, TypeError, AttributeError) as error:
        return 0, str(error) or type(error).__name__


async def database(settings: Settings, found: OnRecord, limit_s: float) -> DatabaseFacts:
    """Look the file over; raises StoreError for damage, and when it cannot be written."""
    journal, check_s, log_bytes = "postgresql", None, None
    if not settings.is_postgres:
        path = Path(settings.database)
        clock = asyncio.get_running_loop().time
        journal, check_s = await asyncio.to_thread(inspect, path, elapsed=clock, limit_s=limit_s)
        log_bytes = _size(path.with_name(f"{path.name}-wal"))
    return DatabaseFacts(
        schema=SCHEMA,
        journal=journal,
        check_s=check_s,
        data_bytes=found.data_bytes,
        log_bytes=log_bytes,
        backup_at=found.backup_at,
        backups=bool(settings.backup_dir) and not settings.is_postgres,
        ever_called=found.ever_called,
    )


# -- this machine ---------------------------------------------------------------------------------


def origins(settings: Settings) -> Mapping[str, int]:
    """How many settings each kind of place decides."""
    return Counter(
        origin.partition(" ")[0] if not origin.endswith(".toml") else origin
        for origin in settings.origins().values()
        if origin != "default"
    )


def modes(settings: Settings) -> Mapping[str, int]:
    """The permissions of the files that are there: of data, of secrets."""
    files = [Path(".env")]
    if not settings.is_postgres:
        database = Path(settings.database)
        files += [database, key_file(database)]
    return {_short(file): file.stat().st_mode & 0o777 for file in files if file.is_file()}


def room(settings: Settings) -> tuple[int, str]:
    """Free bytes where the data is, and why a file cannot be written there."""
    folder = Path("." if settings.is_postgres else settings.database).resolve()
    folder = folder if folder.is_dir() else folder.parent
    probe = folder / f".dialer-probe.{os.getpid()}"
    trouble = ""
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(bytes(PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        trouble = f"{_short(folder)} cannot be written: {error.strerror}"
    finally:
        with suppress(OSError):  # a disk that is read-only refuses even where there is nothing
            probe.unlink(missing_ok=True)
    return shutil.disk_usage(folder).free if folder.is_dir() else 0, trouble


def synchronised() -> bool | None:
    """Whether the kernel's clock follows a time server (adjtimex(2)); None: it does not say."""
    timex = (ctypes.c_long * (_TIMEX_BYTES // ctypes.sizeof(ctypes.c_long)))()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))  # modes 0: it is only read
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    return not timex[_STATUS_AT] & _STA_UNSYNC


async def ports(settings: Settings, daemons: Collection[str]) -> Mapping[str, str]:
    """What is at the ports a daemon of these settings would listen on; *daemons* are the marks of
    those whose lease holds.
    """
    wanted = {f"port {settings.host}:{settings.port}": (settings.host, settings.port)}
    if settings.metrics_port:
        at = (settings.metrics_host, settings.metrics_port)
        wanted[f"metrics_port {at[0]}:{at[1]}"] = at
    return {name: await _port(host, port, daemons) for name, (host, port) in wanted.items() if port}


async def _port(host: str, port: int, daemons: Collection[str]) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return Port.FREE
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Port.UNUSABLE
    answering = await _answering(host, port)
    if answering is None:
        return Port.TAKEN
    return Port.OURS if answering in daemons else Port.ANOTHERS


async def _answering(host: str, port: int) -> str | None:
    """The mark of the daemon whose web server, or metrics, answers there; None for a stranger."""
    version = await asked(host, port, VERSION)
    if not isinstance(version, dict) or "version" not in version:
        return None
    return str(version.get("daemon", ""))


async def asked(host: str, port: int, path: str) -> Any:
    """What a web server of this machine answers: data, a text, or None where nobody does."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  it is left
    url = f"http://{f'[{reached}]' if ':' in reached else reached}:{port}{path}"
    timeout = aiohttp.ClientTimeout(total=PORT_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            if response.content_type == "application/json":
                return await response.json()
            return await response.text()
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None


async def daemon(settings: Settings, found: OnRecord) -> DaemonFacts:
    """The daemons, and what the one at our port says of itself."""
    versions = {f"{each.host} process {each.pid}": each.version for each in found.daemons}
    ours = {each.mark for each in found.daemons}
    ready = None
    if ours and await _answering(settings.host, settings.port) in ours:  # not another database's
        ready = await asked(settings.host, settings.port, "/readyz")
    failed = ready.get("failed") if isinstance(ready, dict) else None
    return DaemonFacts(versions, __version__, found.active, failed)


# -- the carrier ----------------------------------------------------------------------------------


async def account(settings: Settings, clock: Clock, timeout_s: float) -> Account:
    """Ask the account; raises CredentialsError and UnreachableError."""
    login = Login(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        api_key=settings.twilio_api_key,
        api_secret=settings.twilio_api_secret.get_secret_value(),
        base_url=settings.twilio_base_url,
    )
    return await twilio_account.look(login, clock, timeout_s=timeout_s)


def numbers(settings: Settings, found: OnRecord, account: Account) -> list[NumberFacts]:
    """The numbers that campaigns may call from, as the account has them."""
    incoming = f"{settings.public_url}/twilio/incoming"
    bought = {each.phone: each for each in account.numbers}
    facts = []
    for row in found.numbers:
        own = bought.get(row["phone"])
        if own is not None:
            ours = own.voice_url.partition("#")[0] == incoming
            facts.append(NumberFacts(row["phone"], owned=True, voice=own.voice, ours=ours))
        else:
            facts.append(NumberFacts(row["phone"], owned=row["phone"] in account.verified))
    return facts


async def webhook(settings: Settings, timeout_s: float) -> WebhookFacts:
    """Knock at the outside address."""
    token = settings.twilio_auth_token.get_secret_value()
    answers = await twilio_probe.knock(settings.public_url, token, timeout_s=timeout_s)
    url = f"{settings.public_url}{twilio_probe.PATH.rpartition('/')[0]}"
    return WebhookFacts(url, *answers)


def short_sid(sid: str) -> str:
    """Enough of a name to tell it from another: ``AC…9f2``."""
    return f"{sid[:2]}…{sid[-3:]}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _short(path: Path) -> str:
    """A path as it is read best: from here, where it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd())) or "."
    except ValueError:
        return str(path)
