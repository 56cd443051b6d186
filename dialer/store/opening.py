"""Opening the database a deployment is set to, with the schema this release needs."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from dialer.errors import NotFoundError, SchemaError, StoreBusyError, UnreachableError, UsageError
from dialer.meters import NO_METERS, Meters
from dialer.ports import DAEMON, Rng
from dialer.store.naming import shown
from dialer.store.sqlite import READERS, SqliteDatabase

if TYPE_CHECKING:
    from dialer.store.postgres import PostgresDatabase

#: The newest migration; a test compares it with what alembic finds.
SCHEMA: Final = "0005"

AnyDatabase: TypeAlias = "SqliteDatabase | PostgresDatabase"

POSTGRES_SCHEMES: Final = frozenset({"postgresql", "postgres"})


@asynccontextmanager
async def opened(
    database: str,
    rng: Rng,
    *,
    busy_timeout_s: float,
    actor: str = DAEMON,
    create: bool = True,
    on_create: Callable[[str], None] = lambda _: None,
    meters: Meters = NO_METERS,
    readers: int = READERS,
) -> AsyncIterator[AnyDatabase]:
    """The database at a path or DSN, made first if there is none and *create* allows it.

    *actor* is who acts in its transactions, for the audit log; so many *readers* may be at it at
    once.

    Raises NotFoundError when there is none and none may be made, and SchemaError when its schema
    is not the one this release needs: upgrading one that holds data is the operator's decision.
    """
    store = _store(database, rng, busy_timeout_s, actor, meters, readers)
    if isinstance(store, SqliteDatabase) and not store.exists():
        await _make(database, create, on_create)
    async with store:
        revision = await store.schema_revision()
        if revision is None:
            await _make(database, create, on_create)
            revision = await store.schema_revision()
        if revision != SCHEMA:
            raise SchemaError(
                f"database has schema {revision}, this release needs {SCHEMA}",
                next_step="dialer db upgrade",
            )
        yield store


@contextmanager
def made_apart(database: str) -> Iterator[str]:
    """Where a command of one transaction is to work whose SQLite file is not there: in another
    file, which takes that name when the block is through, and goes when it fails. So whoever
    mistypes a name or a value leaves no empty database behind, and nobody finds a half made one.

    Raises StoreBusyError when somebody else has made the file in the meantime.
    """
    path = Path(database).resolve()
    if "://" in database or path.exists() or not os.access(path.parent, os.W_OK):
        yield database
        return
    apart = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        yield str(apart)
        if apart.exists():
            _put_in_place(apart, path)
    finally:
        for side in ("", "-wal", "-shm", "-journal"):
            apart.with_name(f"{apart.name}{side}").unlink(missing_ok=True)


def _put_in_place(apart: Path, path: Path) -> None:
    try:
        os.link(apart, path)  # never over a file that is there
    except FileExistsError:
        raise StoreBusyError(
            f"another program made the database {path} meanwhile; nothing was written to it",
            next_step="run the same command again",
        ) from None
    except OSError as error:
        raise UnreachableError(
            f"database {path} cannot be made: {error.strerror}",
            next_step="make it first: dialer db upgrade",
        ) from error


def _store(
    database: str,
    rng: Rng,
    busy_timeout_s: float,
    actor: str,
    meters: Meters,
    readers: int,
) -> AnyDatabase:
    scheme, separator, _ = database.partition("://")
    if separator:
        if scheme not in POSTGRES_SCHEMES:
            raise UsageError(
                f"database: {scheme}://… is neither a SQLite file nor a PostgreSQL DSN; write a"
                " path, or postgresql://user@host/name"
            )
        from dialer.store.postgres import PostgresDatabase  # its driver, only where it is used

        return PostgresDatabase(database, busy_timeout_s=busy_timeout_s, actor=actor, meters=meters)
    return SqliteDatabase(
        Path(database),
        rng,
        busy_timeout_s=busy_timeout_s,
        readers=readers,
        actor=actor,
        meters=meters,
    )


async def _make(database: str, create: bool, on_create: Callable[[str], None]) -> None:
    if not create:
        raise NotFoundError(
            f"there is no database {shown(database)}; the first command that adds something"
            " makes it",
            next_step="check --database and DIALER_DATABASE, or: dialer db upgrade",
        )
    from dialer.store import migrate  # heavy, and needed once in a database's life

    if "://" not in database:
        make_file(Path(database))
    await migrate.upgrade(database)
    on_create(shown(database))


def make_file(path: Path) -> None:
    """An empty file for its owner alone, unless there is one: it will hold people's numbers."""
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise UnreachableError(
            f"database {path} cannot be made: {error.strerror}",
            next_step="check that its folder exists and is writable",
        ) from error
