"""Putting a copy in the place of a SQLite database: prepared apart, then in one step.

Theory of operation. The copy is copied once more, beside the database, and made ready there: it is
checked, brought to this release's schema, given what must outlive it of the database it replaces
(who must not be called, and who was erased), and held. Until the last step nothing has changed, and
a crash leaves the database as it was. The last step is one rename; the database that was there
keeps its pages under another name. Nobody else may have it open meanwhile.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer import audit_log, hold
from dialer.errors import NotFoundError, StoreBusyError, StoreError, UsageError
from dialer.ports import Rng, Tx
from dialer.store import migrate
from dialer.store.backup import back_up, flush
from dialer.store.exclusive import sole_daemon
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


@dataclass(frozen=True, slots=True)
class Carried:
    """What the replaced database knew and the copy did not."""

    dnc: int = 0
    dnc_history: int = 0
    erased: int = 0


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


class Preparation:
    """A copy on its way into the place of *database*, in a file beside it."""

    def __init__(self, database: Path, copy: Path, *, busy_timeout_s: float) -> None:
        self.database = database.resolve()
        self.copy = copy
        self.file = self.database.with_name(f".{self.database.name}.{os.getpid()}.restoring")
        self.schema_before = ""
        self.schema = ""
        self.carried: Carried | None = None
        self._busy_timeout_s = busy_timeout_s
        self._old: sqlite3.Connection | None = None

    @asynccontextmanager
    async def opened(self, rng: Rng, actor: str) -> AsyncIterator[SqliteDatabase]:
        """The database that is being prepared."""
        async with SqliteDatabase(
            self.file, rng, busy_timeout_s=self._busy_timeout_s, actor=actor
        ) as database:
            yield database

    async def hold(self, tx: Tx, now: int) -> int:
        """Hold it, want it reconciled, and tell the audit log; returns when the copy was taken."""
        taken_at = min(now, newest_fact(self.file))
        reason = f"restored from {self.copy.name}; to be reconciled before anybody is called"
        await hold.put(tx, now, reason=reason)
        await tx.run("want_reconciliation", since_at=taken_at)
        after = {
            "copy": self.copy.name,
            "taken_at": taken_at,
            "schema_before": self.schema_before,
            "dnc_carried": None if self.carried is None else self.carried.dnc,
            "erased_carried": None if self.carried is None else self.carried.erased,
        }
        await audit_log.record(tx, "db.restore", self.database.name, now, after=after)
        return taken_at

    def put_in_place(self, replaced: Path) -> Path | None:
        """Let the prepared file take the database's name; returns where that is now, if it was."""
        with _told(self.file):
            with closing(sqlite3.connect(self.file)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
            flush(self.file)
        there = self.database.exists()
        try:
            for side in _SIDES:  # of one whose log could not be emptied: it goes with its pages
                with suppress(FileNotFoundError):
                    _beside(self.database, side).rename(_beside(replaced, side))
            if there:
                _named_twice(self.database, replaced)
            self.file.rename(self.database)
            flush(self.database.parent)
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
            if old is not None:
                preparation.carried = _carry_over(old, preparation.file)
            yield preparation
        finally:
            for side in ("", *_SIDES):
                _beside(preparation.file, side).unlink(missing_ok=True)


def newest_fact(file: Path) -> int:
    """When a database last heard of anything (UTC ms): it was copied then, or later; 0: never."""
    with _told(file), closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(_NEWEST_FACT).fetchone()[0] or 0)


def _require_copy(copy: Path, database: Path) -> None:
    if not copy.is_file():
        raise NotFoundError(f"there is no file {copy}", next_step="dialer jobs list --kind backup")
    if database.exists() and copy.samefile(database):
        raise UsageError(f"{copy} is the database itself")


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
                raise StoreBusyError(
                    f"another program has {database} open",
                    next_step="end it (a command, an open sqlite3 shell?), then restore again",
                ) from error
            yield None
        else:
            yield old


def _carry_over(old: sqlite3.Connection, fresh: Path) -> Carried | None:
    """Bring over who must not be called and who was erased; None when *old* cannot tell."""
    try:
        old.execute("ATTACH DATABASE ? AS fresh", (str(fresh),))
        old.execute("BEGIN IMMEDIATE")
        try:
            carried = Carried(
                *(
                    old.execute(statement).rowcount
                    for statement in (_CARRY_DNC, _CARRY_HISTORY, _CARRY_ERASED)
                )
            )
            old.execute("COMMIT")
        except sqlite3.Error:
            old.execute("ROLLBACK")
            raise
        finally:
            old.execute("DETACH DATABASE fresh")
    except sqlite3.Error:
        return None
    return carried


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
