"""`dialer logs`, as an operator runs it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.cli import Cli

PHONE = "+4915123456789"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def given_log(cli: Cli, *entries: dict[str, object], name: str = "dialer.log") -> Path:
    path = cli.folder / name
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def entry(
    event: str, *, level: str = "info", minutes_ago: float = 0, **facts: object
) -> dict[str, object]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)  # noqa: TID251  a log has the true time
    return {"ts": at.isoformat(), "level": level, "event": event} | facts


def events(out: str) -> list[str]:
    return [json.loads(line)["event"] for line in out.splitlines()]


def test_the_latest_lines_of_the_log_that_is_set(cli: Cli) -> None:
    log = given_log(cli, *(entry(f"line.{number}") for number in range(150)))
    cli = cli.set(log_file=str(log))

    assert events(cli.here("logs", "tail", "--json").ok().out) == [
        f"line.{number}" for number in range(50, 150)
    ]
    assert events(cli.here("logs", "tail", "-n", "2", "--json").ok().out) == [
        "line.148",
        "line.149",
    ]


def test_what_is_worse_younger_or_of_one_call(cli: Cli) -> None:
    log = given_log(
        cli,
        entry("daemon.started", minutes_ago=120),
        entry("call.doubted", level="warning", attempt="a" * 32, minutes_ago=5),
        entry("call.ended", attempt="a" * 32, sid="CA" + "1" * 32),
    )

    def found(*words: str) -> list[str]:
        return events(cli.here("logs", "tail", "--json", *words, log).ok().out)

    assert found("--level", "warning") == ["call.doubted"]
    assert found("--call", "a" * 32) == ["call.doubted", "call.ended"]
    assert found("--call", "CA1111") == ["call.ended"]
    assert found("--since", "10m") == ["call.doubted", "call.ended"]
    assert found("--since", "10m", "--level", "info", "-n", "1") == ["call.ended"]


def test_what_comes_in_by_standard_input_is_shown_for_people(cli: Cli) -> None:
    text = json.dumps(entry("call.ended", to=PHONE)) + f"\nnews of {PHONE}\n"

    done = cli("logs", "tail", "-", stdin=text.encode()).ok()

    first, second = done.out.splitlines()
    assert " call.ended " in first
    assert second == "news of +4915***789"
    assert PHONE[1:] not in done.out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ((), 2, "which log?"),
        (("nowhere.log",), 3, "there is no log file nowhere.log"),
        (("--since", "soon", "-"), 2, "'soon' is not a time"),
        (("--level", "loud", "-"), 2, "'loud'"),
    ],
)
def test_what_cannot_be_read_is_said(cli: Cli, words: tuple[str, ...], code: int, why: str) -> None:
    done = cli.here("logs", "tail", *words)

    assert done.code == code
    assert done.out == ""
    assert why in done.err
