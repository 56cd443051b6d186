"""How a database is named where people read it."""

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(?<=://)([^:/@]*):[^@]*@")


def shown(database: str) -> str:
    """A path as it is, a DSN without its password."""
    return _PASSWORD.sub(r"\1:***@", database)
