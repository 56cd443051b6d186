"""What is told of facts: closed labels, a bound on series, and sums that add up."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dialer.meters import NO_METERS, CarrierOp, Meters, TransactionKind, WebhookResult
from dialer.metrics.gauges import Gauges, NumberGauge
from dialer.metrics.readings import MOST_CAMPAIGNS, MOST_NUMBERS, OTHER
from dialer.metrics.registry import CARRIER_CODES, WEBHOOK_ROUTES, Metrics
from dialer.metrics.series import Buckets
from dialer.model import AmdMode, CallFacts, CampaignId, NumberId, WaitReason
from dialer.states import CampaignStatus, MemberState
from retries.outcome import Outcome

PLAIN = "text/plain"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def told(metrics: Metrics, gauges: Gauges | None = None) -> Mapping[str, Mapping[str, float]]:
    """What is told of each sample, by its labels in a row, ordered by their names."""
    text = metrics.exposition(PLAIN, gauges)[0].decode()
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = " ".join(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


#: It rang for eight seconds, and they talked for thirty.
TALKED = CallFacts(
    ringing_at=1000, answered_at=9000, ended_at=39_000, duration_s=30, answered_by="human"
)


def end(
    metrics: Meters,
    outcome: Outcome = Outcome.HUMAN,
    facts: CallFacts = TALKED,
    *,
    campaign: int = 1,
    mode: AmdMode = AmdMode.CARRIER,
) -> None:
    metrics.call_ended(CampaignId(campaign), outcome, mode, facts)


def reading(**changes: object) -> Gauges:
    values: dict[str, object] = {
        "campaigns": {}, "members": {}, "open_calls": {}, "waits": {}, "doubtful": 0,
        "unfolded": 0, "numbers": (), "backup_at": None, "data_bytes": 4096, "log_bytes": 0,
    }  # fmt: skip
    return Gauges(**(values | changes))  # type: ignore[arg-type]  # each is what it is named


def test_what_can_be_named_is_there_before_it_happens() -> None:
    samples = told(Metrics())

    assert samples["dialer_compliance_violations_total"] == {"": 0}
    assert len(samples["dialer_webhooks_total"]) == len(WEBHOOK_ROUTES) * len(WebhookResult)
    assert set(samples["dialer_webhooks_total"].values()) == {0}
    assert "dialer_calls_unknown" not in samples  # nobody has looked


def test_an_end_is_counted_by_outcome_and_measured() -> None:
    metrics = Metrics()

    end(metrics)
    end(metrics, Outcome.NO_ANSWER, CallFacts(ringing_at=1000, ended_at=9000, duration_s=0))

    samples = told(metrics)
    assert samples["dialer_calls_ended_total"] == {"1 human": 1, "1 no_answer": 1}
    assert sum(samples["dialer_amd_results_total"].values()) == 1
    assert samples["dialer_amd_results_total"]["carrier human"] == 1
    assert samples["dialer_ring_seconds_sum"] == {"": 16}
    assert samples["dialer_talk_seconds_sum"]["human"] == 30
    assert samples["dialer_talk_seconds_bucket"]["30.0 human"] == 1
    assert samples["dialer_talk_seconds_bucket"]["20.0 human"] == 0


@pytest.mark.parametrize(
    ("word", "mode", "told_as"),
    [
        ("machine_end_beep", AmdMode.CARRIER, "carrier machine"),
        (None, AmdMode.CARRIER, "carrier unknown"),
        ("+12025550143", AmdMode.CARRIER, "carrier unknown"),
        ("human", AmdMode.OFF, None),
    ],
)
def test_who_answered_is_told_where_somebody_detects_it(
    word: str | None, mode: AmdMode, told_as: str | None
) -> None:
    metrics = Metrics()

    end(metrics, facts=TALKED._replace(answered_by=word), mode=mode)

    results = told(metrics)["dialer_amd_results_total"]
    assert [labels for labels, value in results.items() if value] == ([told_as] if told_as else [])


def test_campaigns_and_numbers_beyond_the_bound_share_a_series() -> None:
    metrics = Metrics()

    for id_ in range(1, 301):
        metrics.call_asked_for(CampaignId(id_), NumberId(id_), 0.01)

    attempts = told(metrics)["dialer_call_attempts_total"]
    campaigns = {labels.split()[0] for labels in attempts}
    numbers = {labels.split()[1] for labels in attempts}
    assert len(campaigns) == MOST_CAMPAIGNS + 1
    assert len(numbers) == MOST_NUMBERS + 1
    assert OTHER in campaigns & numbers
    assert sum(attempts.values()) == 300


def test_a_campaign_keeps_its_label_whoever_comes_later() -> None:
    metrics = Metrics()
    end(metrics, campaign=999)
    told(metrics)

    waits = {(CampaignId(id_), WaitReason.NEXT): 1 for id_ in range(1, 200)}
    samples = told(metrics, reading(waits=waits))

    assert samples["dialer_calls_ended_total"] == {"999 human": 1}
    assert samples["dialer_contacts_blocked"][f"{OTHER} next"] == 199 - (MOST_CAMPAIGNS - 1)


def test_campaigns_that_may_call_come_before_those_that_are_over() -> None:
    members = {(CampaignId(id_), MemberState.COMPLETED): 1 for id_ in range(1, 200)}

    samples = told(
        Metrics(), reading(members=members, waits={(CampaignId(150), WaitReason.NEXT): 7})
    )

    assert samples["dialer_contacts"]["150 completed"] == 1
    assert samples["dialer_contacts_blocked"] == {"150 next": 7}


def test_a_reading_is_told_as_it_is() -> None:
    metrics = Metrics(lines_limit=12)
    metrics.webhook_began()

    samples = told(
        metrics,
        reading(
            campaigns={CampaignStatus.ACTIVE: 2},
            open_calls={CampaignId(3): 4},
            doubtful=1,
            unfolded=5,
            numbers=[
                NumberGauge(NumberId(1), active=True, spam_score=2.5, calls_today=9),
                NumberGauge(NumberId(2), active=False, spam_score=None, calls_today=0),
            ],
            backup_at=1_767_625_200_000,
            log_bytes=None,
        ),
    )

    assert samples["dialer_campaigns"]["active"] == 2
    assert samples["dialer_campaigns"]["paused"] == 0
    assert samples["dialer_calls_active"] == {"3": 4}
    assert samples["dialer_calls_unknown"] == {"": 1}
    assert samples["dialer_webhook_backlog"] == {"": 6}
    assert samples["dialer_numbers"] == {"active": 1, "disabled": 1}
    assert samples["dialer_number_spam_score"] == {"1": 2.5}
    assert samples["dialer_number_calls_today"] == {"1": 9, "2": 0}
    assert samples["dialer_backup_last_success_timestamp_seconds"] == {"": 1_767_625_200}
    assert samples["dialer_lines_limit"] == {"": 12}
    assert "dialer_db_wal_bytes" not in samples


@pytest.mark.parametrize(
    ("status", "code"),
    [(201, "2xx"), (404, "4xx"), (429, "429"), (503, "5xx"), (None, "none"), (700, "none")],
)
def test_the_answers_of_a_carrier_are_a_closed_set(status: int | None, code: str) -> None:
    metrics = Metrics()

    metrics.carrier_answered(CarrierOp.PLACE, status, 0.1)

    assert code in CARRIER_CODES
    assert told(metrics)["dialer_carrier_requests_total"][f"{code} place"] == 1


def test_a_route_nobody_knows_makes_no_series_of_its_own() -> None:
    metrics = Metrics()

    metrics.webhook_began()
    metrics.webhook_ended("+12025550143", WebhookResult.REJECTED, 0.01)

    assert told(metrics)["dialer_webhooks_total"][f"rejected {OTHER}"] == 1


def test_what_the_process_takes_is_told_in_real_seconds() -> None:
    metrics = Metrics(speed=100)

    metrics.transaction_ended(TransactionKind.WRITE, 2.0)

    assert told(metrics)["dialer_db_transaction_seconds_sum"]["write"] == pytest.approx(0.02)


def test_whoever_asks_for_another_format_gets_it() -> None:
    content, content_type = Metrics().exposition(OPEN_METRICS, None)

    assert content_type.startswith("application/openmetrics-text")
    assert content.endswith(b"# EOF\n")


@given(st.lists(st.floats(min_value=0, max_value=1e6)), st.integers(1, 9))
def test_every_value_is_in_every_bucket_that_is_large_enough(
    values: list[float], bounds: int
) -> None:
    limits = tuple(float(10**power) for power in range(bounds))
    buckets = Buckets(limits)

    for value in values:
        buckets.observe(value)

    cumulative, total = buckets.told()
    assert [count for _, count in cumulative] == [
        sum(value <= limit for value in values) for limit in (*limits, float("inf"))
    ]
    assert total == pytest.approx(sum(values))


def test_an_engine_nobody_watches_may_tell_everything() -> None:
    tellers = {name for name in vars(Meters) if not name.startswith("_")}

    assert tellers == {name for name in vars(Metrics) if name in tellers}
    end(NO_METERS)
    NO_METERS.call_asked_for(CampaignId(1), NumberId(1), 0.0)
