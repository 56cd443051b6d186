"""The log is set up before its first line, and where nothing is said, not at all."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from dialer import lazy_log
from dialer.lazy_log import Log


@pytest.fixture(autouse=True)
def nothing_put_off() -> Iterator[None]:
    lazy_log.is_set_up()
    yield
    lazy_log.is_set_up()


def test_what_was_put_off_is_done_once_before_the_first_line() -> None:
    done: list[str] = []
    log, other = Log(), Log()
    lazy_log.before_first_line(lambda: done.append("set up"))
    assert done == []

    with capture_logs() as lines:
        log.info("one.thing", attempt="a1")
        other.warning("another.thing")

    assert done == ["set up"]
    assert [line["event"] for line in lines] == ["one.thing", "another.thing"]
    assert lines[0]["attempt"] == "a1"


def test_who_sets_the_log_up_otherwise_is_not_overruled() -> None:
    lazy_log.before_first_line(lambda: pytest.fail("it has been set up"))
    lazy_log.is_set_up()

    with capture_logs() as lines:
        Log().info("one.thing")

    assert len(lines) == 1


def test_only_what_was_put_off_last_counts() -> None:
    done: list[str] = []
    lazy_log.before_first_line(lambda: done.append("first"))
    lazy_log.before_first_line(lambda: done.append("second"))

    lazy_log.set_up_now()
    lazy_log.set_up_now()

    assert done == ["second"]
