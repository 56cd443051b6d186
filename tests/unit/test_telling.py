"""A log is told of a change, not of every turn of a loop."""

from dialer.telling import Telling


def test_a_thing_is_news_once_and_again_when_it_changes() -> None:
    told = Telling()

    assert told.is_news("claim", "the disk is full")
    assert not told.is_news("claim", "the disk is full")
    assert told.is_news("sweep", "the disk is full")
    assert told.is_news("claim", "the database is locked")
    assert told.is_news("claim", "the disk is full")


def test_what_comes_back_after_it_was_over_is_news() -> None:
    told = Telling()
    told.is_news("claim", "the disk is full")

    told.over("claim")
    told.over("nothing was said of it")

    assert told.is_news("claim", "the disk is full")


def test_what_is_no_subject_any_more_is_forgotten() -> None:
    told = Telling()
    told.is_news("call 1", "unreachable")
    told.is_news("call 2", "unreachable")

    told.only({"call 2"})

    assert told.is_news("call 1", "unreachable")
    assert not told.is_news("call 2", "unreachable")
