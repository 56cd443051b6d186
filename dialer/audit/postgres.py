"""Reads a PostgreSQL database as a stranger would: read-only, one moment, beside its daemons."""

from typing import Final

import asyncpg

from dialer.audit.evidence import Evidence
from dialer.audit.tables import FOREVER, STATEMENTS, evidence_from, for_postgres, wants_period
from dialer.errors import StoreError, UnreachableError

#: A year of calls takes a while to read, in seconds.
STATEMENT_TIMEOUT_S: Final = 600.0


async def read(dsn: str, since_at: int = 0, until_at: int = FOREVER) -> Evidence:
    """The attempts between two instants, by their intent, and what belongs to them.

    Raises UnreachableError when the server does not answer, StoreError when it refuses.
    """
    try:
        connection = await asyncpg.connect(dsn, command_timeout=STATEMENT_TIMEOUT_S)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return evidence_from(
                    {
                        name: [
                            dict(row)
                            for row in await connection.fetch(
                                for_postgres(statement),
                                *((since_at, until_at) if wants_period(statement) else ()),
                            )
                        ]
                        for name, (_, statement) in STATEMENTS.items()
                    }
                )
        finally:
            await connection.close()
    except asyncpg.PostgresError as error:
        raise StoreError(
            f"the database cannot be audited: {error}", next_step="dialer db check"
        ) from error
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise UnreachableError(
            f"PostgreSQL cannot be reached: {error}",
            next_step="check DIALER_DATABASE and that the server is running",
        ) from error
