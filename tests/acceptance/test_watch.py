"""A watched campaign comes to its end, and whoever watched was told everything."""

import json
import subprocess
import sys
from collections.abc import Callable

from tests.support.promises import check_promises
from tests.support.stage import WITHIN_S, Stage
from tests.support.terminals import shown

GivenStage = Callable[..., Stage]
CONTACTS = 20


def test_a_campaign_is_watched_from_its_start_to_its_end(given_stage: GivenStage) -> None:
    stage = given_stage(speed=30)
    stage.given_campaign(
        contacts=CONTACTS, numbers=2, call_interval_s=5, completion_timeout_s=5, max_retries=0
    )
    stage.carrier("--cps", "1000")
    stage.ready_daemon()
    command = [sys.executable, "-m", "cli", "campaign", "watch", "Renewals", "--every", "0.25s"]

    with (
        subprocess.Popen(
            [*command, "--json"],
            cwd=stage.rehearsal.folder,
            env=stage.cli.environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as frames,
        shown(stage.cli, "campaign", "watch", "Renewals") as terminal,
    ):
        screen = terminal.until("q leave")
        assert terminal.ended() == 0
        assert terminal.restored
        told, _ = frames.communicate(timeout=WITHIN_S)

    assert "Renewals  ▶ active" in screen
    assert "'Renewals' is completed" in terminal.screen
    seen = [json.loads(line) for line in told.splitlines()]
    done = [frame["done"] for frame in seen]
    assert done == sorted(done)
    assert (seen[0]["status"], seen[-1]["status"], done[-1]) == ("active", "completed", CONTACTS)
    assert {frame["contacts"] for frame in seen} == {CONTACTS}
    assert {frame["life"] for frame in seen} == {"live"}
    assert any(frame["live"] for frame in seen)
    check_promises(stage)
