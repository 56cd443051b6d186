"""What the doctor makes of facts: every verdict, without its trouble."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.config_faults import Fault
from dialer.doctor import verdicts
from dialer.doctor.findings import Check, Finding, Level, worst
from dialer.doctor.verdicts import (
    AccountFacts,
    ClockFacts,
    DaemonFacts,
    DatabaseFacts,
    NumberFacts,
    Port,
    WebhookFacts,
)

HOUR: Final = 3_600_000
GIB: Final = 1 << 30
DATABASE: Final = DatabaseFacts(
    schema="0005", journal="wal", check_s=0.06, data_bytes=24 << 20, log_bytes=0,
    backup_at=5 * HOUR, backups=True, ever_called=True,
)  # fmt: skip
CLOCK: Final = ClockFacts(zone_data="2026.6", year=2026, synchronised=True, skew_s=0.2)
ACCOUNT: Final = AccountFacts(
    account="AC…9f2", key="SK…41f", status="active", kind="Full", balance=83.1, currency="USD",
    calls_per_second=1,
)  # fmt: skip
DAEMON: Final = DaemonFacts({"here process 1": "1.0"}, ours="1.0", active=2)
NUMBER: Final = NumberFacts("+12025550123", owned=True)
HOOK: Final = WebhookFacts("https://dial.example.org/twilio/status", unsigned=403, signed=400)


@pytest.mark.parametrize(
    ("finding", "level", "said"),
    [
        (verdicts.config([], {"dialer.toml": 3}), Level.OK, "3 from dialer.toml"),
        (verdicts.config([], {}), Level.OK, "default"),
        (
            verdicts.config([Fault("dialer.toml", "prot", None, "unknown setting", "port")], {}),
            Level.FAIL,
            "dialer.toml: prot: unknown setting; did you mean port?",
        ),
        (verdicts.config([Fault(".env", why="no")] * 3, {}), Level.FAIL, "and 2 more"),
        (verdicts.config([Fault(".env", "a")], {}, in_force=False), Level.WARN, ".env: a"),
        (verdicts.data({"dialer.db": 0o640}), Level.OK, "dialer.db 0640"),
        (verdicts.data({"dialer.db": 0o600, ".env": 0o644}), Level.WARN, ".env"),
        (verdicts.database(DATABASE, 10 * HOUR), Level.OK, "last backup 5 h ago"),
        (verdicts.database(DATABASE, 40 * HOUR), Level.WARN, "last backup 35 h ago"),
        (
            verdicts.database(replace(DATABASE, backup_at=None), 0),
            Level.WARN,
            "no backup yet",
        ),
        (
            verdicts.database(replace(DATABASE, backup_at=None, ever_called=False), 0),
            Level.OK,
            "no backup yet",
        ),
        (
            verdicts.database(replace(DATABASE, backups=False), 400 * HOUR),
            Level.OK,
            "not our business",
        ),
        (verdicts.database(replace(DATABASE, journal="delete"), 0), Level.WARN, "delete"),
        (verdicts.database(replace(DATABASE, check_s=None), 0), Level.OK, "want of time"),
        (verdicts.database(replace(DATABASE, log_bytes=9 << 20), 0), Level.OK, "log 9 MiB"),
        (verdicts.database(replace(DATABASE, log_bytes=60 << 20), 0), Level.OK, "log 60 MiB"),
        (verdicts.database(replace(DATABASE, log_bytes=65 << 20), 0), Level.WARN, "log 65 MiB"),
        (
            verdicts.database(replace(DATABASE, data_bytes=9 * GIB, log_bytes=GIB + 1), 0),
            Level.WARN,
            "log 1,024 MiB",
        ),
        (
            verdicts.database(replace(DATABASE, data_bytes=9 * GIB, log_bytes=GIB), 0),
            Level.OK,
            "log 1,024 MiB",
        ),
        (verdicts.clock(CLOCK), Level.OK, "follows a time server"),
        (verdicts.clock(replace(CLOCK, synchronised=False)), Level.OK, "0 s from the carrier's"),
        (
            verdicts.clock(replace(CLOCK, synchronised=False, skew_s=None)),
            Level.WARN,
            "nobody sets",
        ),
        (verdicts.clock(replace(CLOCK, synchronised=None, skew_s=None)), Level.OK, "2026.6"),
        (verdicts.clock(replace(CLOCK, skew_s=-3)), Level.WARN, "3 s from"),
        (verdicts.clock(replace(CLOCK, skew_s=31)), Level.FAIL, "31 s from"),
        (verdicts.clock(replace(CLOCK, year=2028)), Level.WARN, "is old"),
        (verdicts.disk(9 * GIB, 0), Level.OK, "9,216 MiB"),
        (verdicts.disk(9 * GIB, 8 * GIB), Level.WARN, "9,216 MiB"),
        (verdicts.disk(1 << 20, 0), Level.FAIL, "1 MiB"),
        (verdicts.disk(9 * GIB, 0, "it is full"), Level.FAIL, "it is full"),
        (verdicts.ports({"port ::1:8090": Port.FREE}), Level.OK, "::1:8090 free"),
        (verdicts.ports({"port h:1": Port.TAKEN}), Level.FAIL, "h:1 taken"),
        (verdicts.ports({"port h:1": Port.OURS, "metrics_port h:2": Port.TAKEN}), Level.WARN, ""),
        (verdicts.daemon(DAEMON), Level.OK, "its lease holds"),
        (verdicts.daemon(replace(DAEMON, ours="1.1")), Level.WARN, "this command is 1.1"),
        (verdicts.daemon(replace(DAEMON, versions={"here": ""})), Level.OK, "here, its"),
        (verdicts.daemon(replace(DAEMON, failed={"lease": "expired"})), Level.FAIL, "lease"),
        (verdicts.daemon(replace(DAEMON, versions={})), Level.WARN, "no daemon"),
        (verdicts.daemon(replace(DAEMON, versions={}, active=0)), Level.SKIP, "no daemon"),
        (verdicts.schedules(2, 90, {}), Level.OK, "2 schedules and 90 rules"),
        (verdicts.schedules(2, 90, {"Day": "no zone"}), Level.FAIL, "'Day': no zone"),
        (verdicts.schedules(0, 0, {}, "no pack"), Level.FAIL, "no pack"),
        (verdicts.holds(None, wants_reconciliation=False), Level.OK, "nothing"),
        (verdicts.holds("ana: the script", wants_reconciliation=False), Level.WARN, "ana"),
        (
            verdicts.account(ACCOUNT),
            Level.OK,
            "account AC…9f2, key SK…41f, 83.10 USD, 1 per second",
        ),
        (verdicts.account(replace(ACCOUNT, status="suspended")), Level.FAIL, "is suspended"),
        (verdicts.account(replace(ACCOUNT, kind="Trial")), Level.WARN, "trial"),
        (verdicts.account(replace(ACCOUNT, balance=4.99)), Level.WARN, "4.99 USD"),
        (verdicts.account(replace(ACCOUNT, balance=None, status="", key="")), Level.OK, "AC…9f2"),
        (verdicts.numbers([]), Level.WARN, "none"),
        (verdicts.numbers([NUMBER]), Level.OK, "1, all"),
        (verdicts.numbers([replace(NUMBER, owned=False)]), Level.FAIL, "not the account's"),
        (verdicts.numbers([replace(NUMBER, voice=False)]), Level.FAIL, "without voice"),
        (verdicts.numbers([NUMBER, replace(NUMBER, ours=False)]), Level.WARN, "1 of 2"),
        (verdicts.numbers([replace(NUMBER, owned=False)] * 5), Level.FAIL, "and 2 more"),
        (verdicts.webhook(HOOK), Level.OK, "takes what is signed"),
        (verdicts.webhook(replace(HOOK, unsigned=404)), Level.FAIL, "answered 404, expected 403"),
        (verdicts.webhook(replace(HOOK, unsigned=None, trouble="no")), Level.FAIL, "answer: no"),
        (verdicts.webhook(replace(HOOK, signed=403)), Level.FAIL, "our auth token signs (403)"),
    ],
)
def test_verdicts(finding: Finding, level: Level, said: str) -> None:
    assert (finding.level, said in finding.text) == (level, True), finding
    if level in (Level.WARN, Level.FAIL):
        assert finding.why
        assert finding.fix


def test_a_hold_of_a_restored_database_wants_its_calls_first() -> None:
    assert "reconcile" in verdicts.holds("restore", wants_reconciliation=True).fix


@given(st.lists(st.sampled_from(Level)))
def test_the_worst_is_what_counts_and_what_was_skipped_does_not(levels: list[Level]) -> None:
    found = [Finding(Check.DATA, level, "") for level in levels]

    if Level.FAIL in levels:
        assert worst(found) is Level.FAIL
    else:
        assert worst(found) is (Level.WARN if Level.WARN in levels else Level.OK)
    assert worst(found) is worst(reversed(found))
