"""A log read back: what was asked for, all of it, and nobody's number."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import logs
from dialer.errors import NotFoundError
from dialer.log_reading import Wanted, followed, last, line_of, texts_of, wanted_lines

PHONE = "+12025550143"
ATTEMPT = "019a7f3c2d1e4b5a6978000000000001"
SID = "CA0123456789abcdef0123456789abcdef"
NOON = 1_767_614_400_000  # 2026-01-05 12:00 UTC


def written(**facts: object) -> str:
    base = {"ts": "2026-01-05T12:00:00.000000Z", "level": "info", "event": "call.ended"}
    return json.dumps(base | facts) + "\n"


def events(texts: list[str], wanted: Wanted) -> list[object]:
    return [(line.entry or {}).get("event") for line in wanted_lines(texts, wanted)]


def test_a_level_takes_what_is_worse_too() -> None:
    texts = [
        written(level=level, event=level)
        for level in ("debug", "info", "warning", "error", "critical")
    ]

    assert events(texts, Wanted(level=logs.Level.WARNING)) == ["warning", "error", "critical"]


@pytest.mark.parametrize("asked", [ATTEMPT, SID, ATTEMPT[:30], SID[:12]])
def test_one_call_is_found_by_either_name_or_how_it_begins(asked: str) -> None:
    texts = [
        written(event="mine", attempt=ATTEMPT, sid=SID),
        written(event="parked", attempts=[ATTEMPT, "f" * 32], sid=SID),
        written(event="another", attempt="f" * 32, sid="CA" + "f" * 32),
        written(event="nobody's"),
    ]

    assert events(texts, Wanted(call=asked)) == ["mine", "parked"]


def test_the_beginning_of_a_name_must_tell_it_from_others() -> None:
    assert events([written(sid=SID)], Wanted(call="CA")) == []


@pytest.mark.parametrize(("since_at", "found"), [(NOON, ["call.ended"]), (NOON + 1, [])])
def test_a_time_takes_what_is_not_older(since_at: int, found: list[str]) -> None:
    assert events([written()], Wanted(since_at=since_at)) == found
    assert events([written(ts="once upon a time")], Wanted(since_at=since_at)) == []


def test_what_is_no_json_is_passed_on_unless_something_is_asked_for() -> None:
    texts = ["Started dialer.\n", "\n", '{"half": \n', "17\n"]

    assert [line.text for line in wanted_lines(texts, Wanted())] == [
        "Started dialer.", '{"half": ', "17",
    ]  # fmt: skip
    assert list(wanted_lines(texts, Wanted(level=logs.Level.DEBUG))) == []


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True), st.text(max_size=20))
def test_a_number_somebody_else_has_logged_is_masked(number: str, around: str) -> None:
    for text in (f"{around} {number}", json.dumps({"why": f"{around} {number}", "to": number})):
        line = line_of(text)

        assert number[1:] not in line.as_text()
        assert number[1:] not in line.as_json()


def test_a_line_for_people_begins_with_when_how_bad_and_what() -> None:
    line = line_of(written(to=PHONE, talk_s=12.5, why="it rang", exception="Traceback\n  boom"))

    first, *below = line.as_text().splitlines()
    assert first.startswith("2026-01-05 12:00:00.000000Z info     call.ended ")
    assert first.endswith('talk_s=12.5 to=+1202***143 why="it rang"')
    assert below == ["    Traceback", "      boom"]


@given(st.text())
def test_a_line_commands_no_terminal_and_is_one_object(text: str) -> None:
    line = line_of(json.dumps({"event": text, "exception": text}))

    assert all(each.isprintable() for row in line.as_text().split("\n") for each in row)
    assert "\n" not in line.as_json()
    assert isinstance(json.loads(line.as_json()), dict)


def test_the_last_ones_are_shown_in_order() -> None:
    lines = [line_of(str(number)) for number in range(5)]

    assert [line.text for line in last(lines, 2)] == ["3", "4"]
    assert list(last(lines, None)) == lines
    assert list(last(lines, 0)) == []


def test_files_a_log_gave_way_to_are_read_first_if_they_may_be_of_then(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"dialer.log.{number}").write_text(f"older {number}\n")
    log = tmp_path / "dialer.log"
    log.write_text("now\n")

    assert list(texts_of(log)) == ["now\n"]
    assert list(texts_of(log, since_at=0)) == ["older 3\n", "older 2\n", "older 1\n", "now\n"]
    later = int(log.stat().st_mtime * 1000) + 60_000
    assert list(texts_of(log, since_at=later)) == ["now\n"]


def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"dialer\.log"):
        list(texts_of(tmp_path / "dialer.log"))


def test_a_log_is_followed_through_half_lines_and_to_the_file_it_gives_way_to(
    tmp_path: Path,
) -> None:
    log = tmp_path / "dialer.log"
    log.write_text("before\n")

    def append(text: str) -> None:
        with log.open("a") as file:
            file.write(text)

    def give_way() -> None:
        log.rename(tmp_path / "dialer.log.1")

    happening: Iterator[object] = iter(
        [
            lambda: append("ha"),
            lambda: append("lf\n"),
            give_way,
            lambda: append("new\n"),
            lambda: append("newer\n"),
        ]
    )
    coming = followed(log, lambda: next(happening)())  # type: ignore[operator]  # each is a step

    assert list(islice(coming, 3)) == ["half\n", "new\n", "newer\n"]
