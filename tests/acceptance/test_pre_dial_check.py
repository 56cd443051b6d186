"""A daemon with an operator's own check: a real program is asked, and its word holds."""

import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.given import FIRST_PHONE
from tests.support.promises import check_promises
from tests.support.stage import Stage

GivenStage = Callable[..., Stage]

PROGRAM = f"""#!{sys.executable}
import json, sys
question = json.load(sys.stdin)
if question["phone"] == "+{FIRST_PHONE + 2}":
    print("sued us")
    sys.exit(77)
"""


def test_whom_the_program_refuses_is_not_called_and_everybody_else_is(
    given_stage: GivenStage, tmp_path: Path
) -> None:
    program = tmp_path / "may-call"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    # On a fast clock a program has the less time, and a busy machine starts it slowly.
    stage = given_stage(
        speed=30, pre_dial_check=f"command:{program}", pre_dial_timeout_s="60", patience_s="60"
    )
    stage.given_campaign(contacts=4, call_interval_s=0, max_retries=0, completion_timeout_s=0)
    stage.carrier("--cps", "1000")
    stage.daemon()

    stage.until_over()

    called = {call.to for call in stage.truth()}
    assert called == {f"+{FIRST_PHONE + each}" for each in (1, 3, 4)}
    refused = "SELECT contact_id, state FROM members WHERE reason = 'refused_by_check'"
    assert stage.rows(refused) == [(2, "failed")]
    barred = "SELECT detail FROM attempts WHERE state = 'released' AND detail LIKE 'never%'"
    assert "sued us" in stage.value(barred)
    check_promises(stage)
