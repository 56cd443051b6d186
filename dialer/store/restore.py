"""Putting a copy in the place of a SQLite database: prepared apart, then in one step.

Theory of operation. The copy is copied once more, beside the database, and made ready there: it is
checked, brought to this release's schema, given what must outlive it of the database it replaces
(who must not be called, who was erased, and what was stopped), and held. Until the last step
nothing has changed, and a crash leaves the database as it was. The last step is one rename; the
database that was there keeps its pages under another name. Nobody else may have it open meanwhile.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from dialer import audit_log, restored, rule_book
from dialer.errors import NotFoundError, StoreBusyError, StoreError, UsageError
from dialer.model import CampaignId
from dialer.own_files import make_durable
from dialer.ports import Rng, Tx
from dialer.restored import Begun, Repeated, StoppedCampaign, Stops
from dialer.rules.rule_set import Changes
from dialer.states import CampaignStatus
from dialer.store import migrate
from dialer.store.backup import back_up
from dialer.store.exclusive import sole_daemon
from dialer.store.holders import holders
from dialer.store.sqlite import SqliteDatabase

#: Without these it is some other program's database.
_TABLES: Final = frozenset({"alembic_version", "control", "campaigns", "members", "attempts"})
_SIDES: Final = ("-wal", "-shm", "-journal")

_NEWEST_FACT: Final = """
SELECT max(at) FROM (
    SELECT max(intent_at) AS at FROM attempts
    UNION ALL SELECT max(at) FROM audit_log
    UNION ALL SELECT max(started_at) FROM daemons
    UNION ALL SELECT max(started_at) FROM jobs
    UNION ALL SELECT max(changed_at) FROM contacts
)
"""
#: An entry of a campaign that the copy does not know holds everywhere: nobody can say less safely.
_CARRY_DNC: Final = """
INSERT INTO fresh.dnc (phone, campaign_id, source, note, created_at)
SELECT d.phone, known.id, d.source, d.note, d.created_at
  FROM main.dnc d
  LEFT JOIN main.campaigns was ON was.id = d.campaign_id
  LEFT JOIN fresh.campaigns known ON known.id = was.id AND known.created_at = was.created_at
 WHERE TRUE
    ON CONFLICT (phone, coalesce(campaign_id, 0)) DO NOTHING
"""
#: What was taken off the list since stays on it, so its removal did not happen here.
_CARRY_HISTORY: Final = """
INSERT INTO fresh.dnc_history (phone, campaign_id, event, detail, at)
SELECT h.phone, known.id, h.event, h.detail, h.at
  FROM main.dnc_history h
  LEFT JOIN main.campaigns was ON was.id = h.campaign_id
  LEFT JOIN fresh.campaigns known ON known.id = was.id AND known.created_at = was.created_at
 WHERE NOT EXISTS (SELECT 1 FROM fresh.dnc_history f
                    WHERE f.phone = h.phone AND f.event = h.event AND f.at = h.at
                      AND f.detail = h.detail
                      AND coalesce(f.campaign_id, 0) = coalesce(known.id, 0))
   AND NOT (h.event = 'removed'
            AND EXISTS (SELECT 1 FROM fresh.dnc d
                         WHERE d.phone = h.phone
                           AND coalesce(d.campaign_id, 0) = coalesce(known.id, 0)))
 ORDER BY h.id
"""
_CARRY_ERASED: Final = """
INSERT OR IGNORE INTO fresh.erased_phones (hash, erased_at)
SELECT hash, erased_at FROM main.erased_phones
"""
_STOPPED_CAMPAIGNS: Final = """
SELECT known.name, was.status, coalesce(was.pause_reason, '')
  FROM main.campaigns was
  JOIN fresh.campaigns known ON known.id = was.id AND known.created_at = was.created_at
 WHERE was.status IN ('paused', 'completed', 'cancelled') AND known.status <> was.status
 ORDER BY was.id
"""
_DISABLED_NUMBERS: Final = """
SELECT known.phone
  FROM main.numbers was
  JOIN fresh.numbers known ON known.phone = was.phone
 WHERE was.disabled_at IS NOT NULL AND known.disabled_at IS NULL
 ORDER BY known.id
"""
_SKIPPED: Final = """
SELECT known.campaign_id, known.contact_id
  FROM main.members was
  JOIN main.contacts callee ON callee.id = was.contact_id
  JOIN main.campaigns theirs ON theirs.id = was.campaign_id
  JOIN fresh.campaigns ours ON ours.id = theirs.id AND ours.created_at = theirs.created_at
  JOIN fresh.contacts ON contacts.phone = callee.phone
  JOIN fresh.members known ON known.campaign_id = ours.id AND known.contact_id = contacts.id
 WHERE was.state = 'failed' AND was.reason = 'skipped' AND known.state IN ('pending', 'retry')
 ORDER BY known.id
"""
_NEWEST_RULES: Final = "SELECT body FROM main.rule_sets ORDER BY id DESC LIMIT 1"
_MAGIC: Final = b"SQLite format 3\0"  # https://sqlite.org/fileformat.html, section 1.3


@dataclass(frozen=True, slots=True)
class Carried:
    """What the replaced database knew and the copy did not."""

    dnc: int = 0
    dnc_history: int = 0
    erased: int = 0
    stops: Repeated = field(default_factory=Repeated)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done; times are UTC ms."""

    database: Path
    copy: Path
    taken_at: int  # the newest thing the copy knows of
    schema_before: str
    schema: str
    replaced: Path | None  # where the database that was there is now
    carried: Carried | None  # None: there was none, or nobody can read it
    paused: Sequence[str]  # campaigns that were active in the copy


class Preparation:
    """A copy on its way into the place of *database*, in a file beside it."""

    def __init__(self, database: Path, copy: Path, *, busy_timeout_s: float) -> None:
        self.database = database.resolve()
        self.copy = copy
        self.file = self.database.with_name(f".{self.database.name}.{os.getpid()}.restoring")
        self.schema_before = ""
        self.schema = ""
        self.taken_at = 0  # the newest thing the copy knows of, UTC ms
        self.carried: Carried | None = None
        self.stops = Stops()
        self._busy_timeout_s = busy_timeout_s
        self._old: sqlite3.Connection | None = None

    @asynccontextmanager
    async def opened(self, rng: Rng, actor: str) -> AsyncIterator[SqliteDatabase]:
        """The database that is being prepared."""
        async with SqliteDatabase(
            self.file, rng, busy_timeout_s=self._busy_timeout_s, actor=actor
        ) as database:
            yield database

    async def hold(self, tx: Tx, now: int) -> Begun:
        """Make stops again, hold it, want it reconciled, and tell the audit log.

        Calls may be missing since the newest thing the copy knows of, or since longer ago, when it
        was restored itself and not reconciled.
        """
        repeated = await restored.repeat(tx, self.stops, now)
        if self.carried is not None:
            self.carried = replace(self.carried, stops=repeated)
        begun = await restored.begin(
            tx, now, since_at=min(now, self.taken_at), reason=f"restored from {self.copy.name}"
        )
        after = {
            "copy": self.copy.name,
            "taken_at": self.taken_at,
            "missing_since_at": begun.since_at,
            "schema_before": self.schema_before,
            "carried": None if self.carried is None else asdict(self.carried),
            "paused": len(begun.paused),
        }
        await audit_log.record(tx, "db.restore", self.database.name, now, after=after)
        return begun

    def put_in_place(self, replaced: Path) -> Path | None:
        """Let the prepared file take the database's name; returns where that is now, if it was."""
        with _told(self.file):
            with closing(sqlite3.connect(self.file)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
            make_durable(self.file)
        there = self.database.exists()
        try:
            for side in _SIDES:  # of one whose log could not be emptied: it goes with its pages
                with suppress(FileNotFoundError):
                    _beside(self.database, side).rename(_beside(replaced, side))
            if there:
                _named_twice(self.database, replaced)
            self.file.rename(self.database)
            make_durable(self.database.parent)
        except OSError as error:
            raise StoreError(f"{self.copy} cannot be put in place: {error.strerror}") from error
        return replaced if there else None


@asynccontextmanager
async def prepared(
    database: Path, copy: Path, *, busy_timeout_s: float
) -> AsyncIterator[Preparation]:
    """*copy* made ready to take the place of *database*, which nobody may use within the block.

    Raises NotFoundError when there is no copy, UsageError when it is none of a dialer's database,
    SchemaError when a newer release made it, StoreError when it is not whole, WrongStateError
    while a daemon runs and StoreBusyError while another program has the database open.
    """
    _require_copy(copy, database)
    preparation = Preparation(database, copy, busy_timeout_s=busy_timeout_s)
    with sole_daemon(database), _alone(database, busy_timeout_s) as old:
        try:
            back_up(copy, preparation.file, busy_timeout_s=busy_timeout_s)
            _require_ours(preparation.file, copy)
            before, preparation.schema = await migrate.upgrade(str(preparation.file))
            preparation.schema_before = before or ""
            preparation.taken_at = _newest_fact(preparation.file)
            if old is not None:
                preparation.carried, preparation.stops = _carry_over(old, preparation.file)
            yield preparation
        finally:
            for side in ("", *_SIDES):
                _beside(preparation.file, side).unlink(missing_ok=True)


def _newest_fact(file: Path) -> int:
    """When a database last heard of anything (UTC ms): it was copied then, or later; 0: never."""
    with _told(file), closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(_NEWEST_FACT).fetchone()[0] or 0)


def _require_copy(copy: Path, database: Path) -> None:
    if not copy.is_file():
        raise NotFoundError(f"there is no file {copy}", next_step="dialer jobs list --kind backup")
    if database.exists() and copy.samefile(database):
        raise UsageError(f"{copy} is the database itself")
    with _told(copy), copy.open("rb") as file:
        begins = file.read(len(_MAGIC))
    if begins != _MAGIC:
        raise UsageError(f"{copy} is no SQLite database, and so no backup")


def _require_ours(file: Path, copy: Path) -> None:
    with _told(copy), closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {row[0] for row in rows}
    if not tables >= _TABLES:
        raise UsageError(f"{copy} is no copy of a dialer's database")


@contextmanager
def _alone(database: Path, busy_timeout_s: float) -> Iterator[sqlite3.Connection | None]:
    """The database that is to be replaced, in one file and locked; None: there is none, or it is
    damaged.
    """
    if not database.exists():
        yield None
        return
    with closing(sqlite3.connect(database, timeout=busy_timeout_s, isolation_level=None)) as old:
        try:
            old.execute("PRAGMA journal_mode=DELETE")  # refused while anybody else has it open
            old.execute("PRAGMA main.locking_mode=EXCLUSIVE")
            old.execute("BEGIN EXCLUSIVE")
            old.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise _held(database) from error
            yield None
        else:
            yield old


def _held(database: Path) -> StoreBusyError:
    found = holders(database)
    if not found:
        return StoreBusyError(
            f"another program has {database} open",
            next_step="end it (a command, an open sqlite3 shell?), then restore again",
        )
    named = ", ".join(f"process {each.pid} ({each.command})" for each in found)
    pids = " ".join(str(each.pid) for each in found)
    return StoreBusyError(
        f"{database} is open in {named}", next_step=f"end it: kill {pids}, then restore again"
    )


def _carry_over(old: sqlite3.Connection, fresh: Path) -> tuple[Carried | None, Stops]:
    """Bring over who must not be called and who was erased, and tell what was stopped; None and no
    stops when *old* cannot tell.
    """
    try:
        old.execute("ATTACH DATABASE ? AS fresh", (str(fresh),))
        old.execute("BEGIN IMMEDIATE")
        try:
            dnc, history, erased = (
                old.execute(statement).rowcount
                for statement in (_CARRY_DNC, _CARRY_HISTORY, _CARRY_ERASED)
            )
            stops = _stops(old)
            old.execute("COMMIT")
        except sqlite3.Error:
            old.execute("ROLLBACK")
            raise
        finally:
            old.execute("DETACH DATABASE fresh")
    except sqlite3.Error:
        return None, Stops()
    return Carried(dnc, history, erased), stops


def _stops(old: sqlite3.Connection) -> Stops:
    campaigns = [
        StoppedCampaign(name, CampaignStatus(status), reason)
        for name, status, reason in old.execute(_STOPPED_CAMPAIGNS)
    ]
    skipped = defaultdict[CampaignId, list[int]](list)
    for campaign_id, contact_id in old.execute(_SKIPPED):
        skipped[CampaignId(campaign_id)].append(contact_id)
    phones = [phone for (phone,) in old.execute(_DISABLED_NUMBERS)]
    return Stops(campaigns, phones, skipped, _rules(old))


def _rules(old: sqlite3.Connection) -> Changes | None:
    """The operator's changes in force; None when there are none, or they cannot be read."""
    newest = old.execute(_NEWEST_RULES).fetchone()
    try:
        return None if newest is None else rule_book.changes_in(newest[0])
    except UsageError:
        return None


def _named_twice(file: Path, other: Path) -> None:
    """Give *file* another name; where a file can have but one it loses the first."""
    try:
        os.link(file, other)
    except FileExistsError:
        raise
    except OSError:
        file.rename(other)


def _beside(file: Path, side: str) -> Path:
    return file.with_name(f"{file.name}{side}")


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Turn the driver's errors into ours at the door; the cause is kept."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from error
