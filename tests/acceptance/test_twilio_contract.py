"""Everything a daemon says to Twilio, and hears from the simulator, is as Twilio describes it."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Final

from dialer.carrier_sim.exchange import Exchange, Setup
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.http_poster import HttpPoster
from dialer.carrier_sim.intake import Intake
from dialer.carrier_sim.options import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from dialer.carrier_sim.profiles import PROFILES
from dialer.carrier_sim.server import Credentials, create_app
from dialer.carrier_sim.truth import TruthFile, read_events
from dialer.clock import SystemClock
from dialer.model import OnMachine
from dialer.rehearsal import Rehearsal
from tests.support.hosted import hosted
from tests.support.http_sim import Judge, serving
from tests.support.promises import check_promises
from tests.support.stage import SHORT_DOUBT, Stage

#: So that every way of asking is met: calls placed, sought, looked up, ended and redirected.
FAULTS: Final = "refuse_429=0.05,error_before=0.1,error_after=0.1,drop_after=0.1,lost=0.2"


@asynccontextmanager
async def judged_carrier(rehearsal: Rehearsal) -> AsyncIterator[Judge]:
    """The simulator behind a judge, at the address the rehearsal's daemons are given."""
    setup = Setup(
        DEMO_ACCOUNT_SID,
        profile=PROFILES["cold_b2b"],  # many machines
        faults=Faults.parse(FAULTS),
        cps=1000,
        patience=rehearsal.speed,
    )
    async with (
        HttpPoster(DEMO_AUTH_TOKEN) as poster,
        Exchange(
            setup,
            now=SystemClock(rehearsal.scale).now,
            poster=poster,
            truth_log=TruthFile(rehearsal.truth),
        ) as exchange,
    ):
        door = Intake(exchange, float(SHORT_DOUBT["accept_bound_s"]))
        judge = Judge(create_app(exchange, door, Credentials(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN)))
        async with serving(judge, rehearsal.speed) as rehearsal.carrier_url:
            yield judge


def given_talking_agents(stage: Stage) -> None:
    """Agents that stay on the line until a machine's greeting is over, and have words for it."""
    with closing(sqlite3.connect(stage.rehearsal.database)) as database, database:
        database.execute(
            "UPDATE agents SET kind = 'stream', target = 'wss://agent.test/', options = ?",
            ['{"voicemail": "Please call us back."}'],
        )


def test_requests_and_responses_of_a_whole_campaign_are_as_described(
    given_stage: Callable[..., Stage],
) -> None:
    stage = given_stage(speed=100, calls_per_second="0", **SHORT_DOUBT)
    campaigns = {"Renewals": OnMachine.HANG_UP, "Messages": OnMachine.LEAVE_MESSAGE}
    for index, (name, on_machine) in enumerate(campaigns.items()):
        stage.given_campaign(
            name=name,
            on_machine=on_machine,
            contacts=20,
            first_contact=1 + 100 * index,
            number_ids=[1] if index else [],
            call_interval_s=0,
            completion_timeout_s=5,
            max_retries=0,
            retry_intervals_s=(60,),
        )
    given_talking_agents(stage)

    with hosted(lambda: judged_carrier(stage.rehearsal), stage.rehearsal.scale) as judge:
        stage.daemon()
        synced = stage.cli.set(twilio_base_url=stage.rehearsal.carrier_url)("numbers", "sync")
        for name in campaigns:
            stage.until_over(name)
        happened = list(read_events(stage.rehearsal.truth))
        stage.close()

    synced.ok()
    assert judge.findings == []
    assert set(judge.judged) == {
        "POST Calls.json",
        "GET Calls.json",
        "GET Calls/{Sid}.json",
        "POST Calls/{Sid}.json",
        "GET IncomingPhoneNumbers.json",
        "GET OutgoingCallerIds.json",
    }
    asked = Counter(event["asked"] for event in happened if event["event"] == "update")
    assert asked["completed"], "no machine was hung up on"
    assert asked["redirect"], "no message was left"
    answers = {(event["event"], event["http"]) for event in happened if "http" in event}
    assert answers == {("callback", 204), ("document", 200)}
    check_promises(stage)
