"""How many there are of something, in words."""

from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """As in ``1 day``, ``2 days`` and, with *many* of them, ``1,000 entries``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def few(names: Sequence[str], most: int) -> str:
    """The first of *names*, *most* of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
