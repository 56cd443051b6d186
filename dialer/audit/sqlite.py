"""Reads a SQLite database as a stranger would: read-only, one moment, beside a running daemon."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from dialer.audit.evidence import Evidence
from dialer.audit.tables import FOREVER, STATEMENTS, evidence_from, wants_period
from dialer.errors import NotFoundError, StoreError


def read(
    path: Path, since_at: int = 0, until_at: int = FOREVER, *, busy_timeout_s: float = 10.0
) -> Evidence:
    """The attempts between two instants, by their intent, and what belongs to them.

    Raises NotFoundError when there is no file at *path*, StoreError for one that cannot be read.
    """
    if not path.exists():
        raise NotFoundError(
            f"there is no database {path}", next_step="check --database and DIALER_DATABASE"
        )
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=busy_timeout_s)) as database:
            database.row_factory = sqlite3.Row
            database.execute("BEGIN")  # all statements see the moment of the first
            return evidence_from(
                {
                    name: [
                        dict(row)
                        for row in database.execute(
                            statement, (since_at, until_at) if wants_period(statement) else ()
                        )
                    ]
                    for name, (_, statement) in STATEMENTS.items()
                }
            )
    except sqlite3.Error as error:
        raise StoreError(
            f"database {path} cannot be audited: {error}", next_step="dialer db check"
        ) from error
