"""Chance that can be repeated."""

from random import Random


def stream(seed: int, *names: object) -> Random:
    """A generator of its own for each purpose: drawing from one never moves another."""
    # A text seed gives the same numbers in every process; nothing drawn here is a secret.
    return Random(":".join(map(str, (seed, *names))))  # noqa: S311
