"""What a database is: its schema, its size, how much is in it, who has it. Nothing is changed."""

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dialer.errors import SchemaError, StoreError
from dialer.ports import Rng, Tx
from dialer.store.direct import DirectTx, connected
from dialer.store.opening import SCHEMA
from dialer.store.phone_key import key_file
from dialer.store.queries import load
from dialer.store.sizes import Sizes
from dialer.store.sqlite import cure_of
from dialer.store.viewing import view


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a database of this release's schema."""

    data_bytes: int
    rows: Mapping[str, int]  # about so many, by table
    backup_at: int | None
    backup: str | None  # where the last one is


@dataclass(frozen=True, slots=True)
class Description:
    """A database; *contents* is None where its schema is another release's."""

    schema: str | None  # None: it has no tables
    release: str  # the schema this release needs
    sizes: Sizes
    contents: Contents | None
    key: Path | None  # of erased numbers, where it lies beside the file
    holder: str | None  # the process of the daemon that has the file

    @property
    def current(self) -> bool:
        """Whether this release works with it as it is."""
        return self.schema == self.release


async def described(database: str, rng: Rng, *, busy_timeout_s: float) -> Description:
    """Raises NotFoundError where there is none, and StoreError where it cannot be read."""
    try:
        contents = await view(database, rng, _contents, busy_timeout_s=busy_timeout_s)
        schema: str | None = SCHEMA
    except SchemaError:
        if "://" in database:
            raise
        contents, schema = None, await _schema(database)
    if "://" in database:
        assert contents is not None, "there was no error"
        return Description(schema, SCHEMA, Sizes(contents.data_bytes, None), contents, None, None)
    return _of_file(Path(database), schema, contents)


def sqlite_version() -> str:
    """The release of the SQLite in use."""
    return sqlite3.sqlite_version


def _of_file(path: Path, schema: str | None, contents: Contents | None) -> Description:
    sizes = Sizes(_size(path), _size(path.with_name(f"{path.name}-wal")))
    key = key_file(path)
    return Description(
        schema, SCHEMA, sizes, contents, key if key.exists() else None, _holder(path)
    )


async def _contents(tx: Tx) -> Contents:
    backup = await tx.row("last_backup")
    return Contents(
        data_bytes=await tx.value("database_bytes"),
        rows={row["name"]: row["entries"] for row in await tx.rows("table_rows")},
        backup_at=backup["ended_at"] if backup else None,
        backup=backup["subject"] if backup else None,
    )


async def _schema(database: str) -> str | None:
    try:
        with closing(connected(f"file:{quote(database)}?mode=ro")) as connection:
            tx = DirectTx(connection, load("sqlite"))
            if await tx.value("has_schema") is None:
                return None
            return str(await tx.value("schema_revision"))
    except sqlite3.Error as error:
        raise StoreError(f"database {database}: {error}", next_step=cure_of(error)) from error


def _holder(path: Path) -> str | None:
    """Who has the file's lock, as they wrote it down; see ``exclusive.py``."""
    file = path.resolve()
    try:
        descriptor = os.open(file.with_name(f"{file.name}.daemon"), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        process, _, host = os.read(descriptor, 512).decode().strip().partition(" ")
        return f"process {process} on {host}" if process else "a daemon"
    finally:
        os.close(descriptor)
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
