"""The names in a SQLite file, for somebody who is typing: at once, or not at all."""

from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from dialer.store.direct import connected
from dialer.store.queries import load


def names_in(path: Path, query: str, column: str) -> list[str]:
    """One *column* of what a named query finds; raises sqlite3.Error and OSError.

    A file that nobody has open is read as one that cannot change, so that no log is made for it.
    """
    in_use = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if in_use else "immutable=1"
    with closing(connected(f"file:{quote(str(path.resolve(strict=True)))}?{how}")) as connection:
        return [str(row[column]) for row in connection.execute(load("sqlite")[query].text)]
