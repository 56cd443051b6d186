"""How much room a database takes."""

from typing import NamedTuple


class Sizes(NamedTuple):
    """Bytes on a disk; *log_bytes* is None where the log is no business of ours."""

    data_bytes: int
    log_bytes: int | None
