"""How far long work is, as it is told on stderr."""

import io
from typing import Any

import pytest

from dialer.commands import progress


class Clock:
    """Shows the time it is told, in milliseconds."""

    at = 0

    def now(self) -> int:
        return self.at


class Told:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int, str]] = []

    def __call__(self, done: int, of: int, words: str) -> None:
        self.heard.append((done, of, words))


def given_terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A screen in the place of stderr, as long as the test runs."""
    screen: Any = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", screen)
    return screen


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, told = given_terminal(monkeypatch), Told()

    with progress.shown(otherwise=told) as tell:
        tell(500, 1_000, "500 rows")

    assert "50%" in terminal.getvalue()
    assert "500 rows" in terminal.getvalue()
    assert not told.heard


def test_where_nobody_sees_a_bar_another_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, told = given_terminal(monkeypatch), Told()

    with progress.shown(otherwise=told, static=True) as tell:
        tell(500, 1_000, "500 rows")

    assert told.heard == [(500, 1_000, "500 rows")]
    assert not terminal.getvalue()


def test_elsewhere_nothing_is_said_unless_somebody_is_to_be_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.shown() as tell:
        tell(500, 1_000, "500 rows")

    assert capsys.readouterr() == ("", "")


def test_a_line_now_and_then_says_how_far_it_is() -> None:
    clock, told = Clock(), Told()
    tell = progress.now_and_then(told, clock)

    for clock.at, rows in ((1_000, 10), (5_000, 20), (9_000, 30), (10_000, 40)):
        tell(rows, 1_000, f"{rows} rows")

    assert told.heard == [(20, 1_000, "20 rows"), (40, 1_000, "40 rows")]
