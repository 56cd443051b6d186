"""A rule of the operator's own on a running daemon: nobody there is called until it is removed."""

from collections.abc import Callable

from tests.support.stage import Stage

GivenStage = Callable[..., Stage]

HERE, THERE = "+1202%", "+1303%"  # Washington, where the stage's people live, and Colorado


def called(stage: Stage, phones: str) -> int:
    """How many people have been called."""
    return int(
        stage.value(f"SELECT count(DISTINCT phone) FROM attempts WHERE phone LIKE '{phones}'")
    )


def test_nobody_is_called_where_a_rule_is_closed_until_it_is_removed(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=100)
    stage.given_campaign(contacts=4, call_interval_s=0, max_retries=0, completion_timeout_s=0)
    people = stage.rehearsal.folder / "people.csv"
    people.write_text("phone\n" + "".join(f"+1303555{line}\n" for line in range(2000, 2004)))
    stage.cli("contacts", "import", people, "--campaign", "Renewals", "--yes").ok()
    stage.cli("rules", "add", "US-DC", "--closed", "--note", "a flood").ok()
    stage.carrier("--cps", "1000")
    stage.ready_daemon()

    stage.until(lambda: called(stage, THERE) == 4)
    stage.until(lambda: stage.waiting().keys() == {"callee_hours"})
    assert called(stage, HERE) == 0
    assert stage.status() == "active"

    stage.cli("rules", "remove", "own/1", "--yes").ok()

    stage.until_over()
    assert called(stage, HERE) == 4
    assert stage.accepted() == 8
    stage.cli("audit", "--truth", stage.rehearsal.truth, "--final").ok()
