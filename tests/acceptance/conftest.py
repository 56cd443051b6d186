"""Stages: a folder, a clock and real processes of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.stage import Stage


@pytest.fixture
def given_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes a stage of a speed and settings; whatever it has started ends with the test."""
    with ExitStack() as stack:
        yield lambda speed, **settings: stack.enter_context(Stage(tmp_path, speed, **settings))
