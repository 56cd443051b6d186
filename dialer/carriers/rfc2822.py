"""Dates as mail and web headers write them, and as carriers do."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from dialer.clock import MS


def parse_date(text: str | None) -> int | None:
    """UTC milliseconds, or None for what is no date; never raises.

    A zone the format does not know (a compatible server writes ``Etc/UTC``) counts as UTC.
    """
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return int(aware.timestamp() * MS)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
