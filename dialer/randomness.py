"""Chance and names for live processes; simulations bring their own."""

import random
import secrets

from dialer.model import AttemptId

_TIME_DIGITS = 12
_RANDOM_BYTES = 10


def system_rng() -> random.Random:
    """Chance for jitter; seeded by the operating system, never used for secrets."""
    return random.Random()  # noqa: S311  jitter needs no secrecy


def secret_bytes(count: int) -> bytes:
    """Chance nobody can guess, for keys."""
    return secrets.token_bytes(count)


class SystemIds:
    """Ids that sort by time and cannot be guessed: 48 bits of milliseconds, 80 bits of chance."""

    def attempt(self, now: int) -> AttemptId:
        return AttemptId(f"{now:0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_BYTES)}")
