"""The tutorial does what it says: every command of it, in order, in real processes."""

from pathlib import Path
from typing import Final

from tests.support import pages, tutorial

#: So many times as fast as life: the campaign itself takes two minutes.
SPEED: Final = 6.0


def test_the_tutorial_runs_as_it_says(tmp_path: Path) -> None:
    with tutorial.trial(tmp_path, SPEED) as trial:
        said = {shown.line: trial.run(shown) for shown in tutorial.operator()}
        account = {shown.line: trial.run(shown) for shown in tutorial.operator("account")}

        assert (trial.carrier.poll(), trial.daemon.poll()) == (None, None)

    rejected = said["dialer contacts import people.csv --campaign Renewals"]
    assert shown_of("1 row was rejected") in rejected
    assert ": lunch" in said["dialer campaign status Renewals"]
    assert said["dialer contacts list --campaign Renewals"].count("pending") == 6
    assert "paused" in said["dialer explain +12025550106"]
    assert "6 of 6" in said["dialer campaign watch Renewals"]
    assert " 0 broken" in said["dialer audit --truth truth.jsonl --final"]
    assert "My own phone" in account["dialer campaign list"]


def shown_of(first_words: str) -> str:
    """What the page shows of an answer that begins with these words."""
    (text,) = [each for each in tutorial.PAGE.split("```text\n") if each.startswith(first_words)]
    return text.partition("```")[0]


def test_no_command_of_the_tutorial_is_left_out() -> None:
    known = {"the folder", "terminal 1", "terminal 2", "terminal 3", "account"}

    assert set(pages.labels(tutorial.PAGE)) == known
