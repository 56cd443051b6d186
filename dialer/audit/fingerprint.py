"""One name for a whole log of events: runs that went the same way have the same (I21)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


def fingerprint(events: Iterable[Mapping[str, Any]]) -> str:
    """The sha256 of *events* in canonical form: one JSON object a line, its names in order.

    The same seed on the same commit gives the same (I21). Raises TypeError for a value that JSON
    has no word for, and ValueError for one that is no number: its text could differ by machine.
    """
    digest = hashlib.sha256()
    for event in events:
        line = json.dumps(event, sort_keys=True, separators=(",", ":"), allow_nan=False)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
