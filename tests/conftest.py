"""What every test may ask for, and how Hypothesis searches."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import settings

from tests.support import postgres

# Whoever runs the tests in the background may have them ignore Ctrl-C, and so would every process
# they start: those that are to be interrupted would run for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, not wrong: no deadline. On CI the examples are the same every time, so
# that a red run is about the change; `--hypothesis-profile=thorough` digs deeper.
settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[postgres.Databases]:
    """Databases on one server, which starts when a test first asks for it.

    ``with postgres_databases.fresh(migrate) as dsn`` gives a migrated one.
    """
    with postgres.server() as dsn, closing(postgres.Databases(dsn)) as databases:
        yield databases


@pytest.fixture
def postgres_dsn(postgres_databases: postgres.Databases) -> Iterator[str]:
    """The DSN of an empty database of the test's own."""
    with postgres_databases.fresh() as dsn:
        yield dsn
