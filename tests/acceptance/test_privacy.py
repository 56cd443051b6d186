"""No number in any log, and nothing left of somebody who was erased beside a running daemon."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.given import FIRST_NUMBER, FIRST_PHONE
from tests.support.stage import SHORT_DOUBT, Stage

GivenStage = Callable[..., Stage]

PEOPLE: Final = 25


def national(first: int, number: int) -> str:
    """The digits of a number of the stage's, without its country."""
    return str(first + number)[1:]


def told(folder: Path, digits: str) -> list[str]:
    """Files that hold the digits; the simulator's record of what it rang may."""
    return [
        file.name
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name != "truth.jsonl" and digits.encode() in file.read_bytes()
    ]


def test_a_campaign_full_of_trouble_leaves_no_number_in_a_log_and_forgets_who_asks_for_it(
    given_stage: GivenStage, tmp_path: Path
) -> None:
    stage = given_stage(speed=100, log_level="debug", **SHORT_DOUBT)
    stage.given_campaign(
        contacts=PEOPLE, call_interval_s=0, max_retries=1, retry_intervals_s=(60,),
        completion_timeout_s=10,
    )  # fmt: skip
    stage.carrier("--faults", "harsh", "--cps", "10", "--log-level", "debug")
    daemon = stage.ready_daemon()
    stage.until_over()
    erased = f"+{FIRST_PHONE + 1}"

    done = stage.cli("erase", erased, "--yes", "--json").ok()
    audit = stage.cli("audit", "--truth", "truth.jsonl", "--json")
    stage.end(daemon)

    assert done.json["attempts"] > 0
    assert {Path(file).name for file in done.json["elsewhere"]} <= {"truth.jsonl"}
    assert told(tmp_path, national(FIRST_PHONE, 1)) == []
    assert audit.json["violations"] == [], audit
    logs = sorted(tmp_path.glob("*.log"))
    assert len(logs) > 1
    everybody = [national(FIRST_PHONE, each) for each in range(1, PEOPLE + 1)]
    for log in logs:
        text = log.read_text(errors="replace")
        shown = [each for each in [*everybody, national(FIRST_NUMBER, 1)] if each in text]
        assert shown == [], log.name
    assert len(stage.log()) > PEOPLE
