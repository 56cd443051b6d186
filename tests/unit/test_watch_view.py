"""The screen of a watched campaign: what it says at each size, and that it never overflows."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dialer.commands import words
from dialer.commands.screen import Look, text_of
from dialer.commands.watch_text import as_json, news
from dialer.commands.watch_view import draw, follows, sparkline
from dialer.commands.words import Clock
from dialer.hold import Hold
from dialer.model import WaitReason
from dialer.overview import HoursNow
from dialer.states import AttemptState, CampaignStatus, MemberState
from dialer.watching import Frame, Life, Pulse, Rate
from retries.outcome import Outcome
from tests.support.frames import BERLIN, CALLS, FRAME, NOW, TALLY, at, call

CLOCK: Final = Clock(NOW, BERLIN)

TERMINAL: Final = """\
Renewals Q4  ▶ active  open until 20:00 Berlin  12:31:07 CET  live, 0.4 s behind
█████████████████████████████···················  62.1 %  62,114 of 100,000
finish ≈ Thu 15:40   (estimate; the range: dialer forecast 'Renewals Q4')

calling 12 of 15   attempts 24/min (max 24)   human 44.1 % ··▂▃▄▅▆▇
pending 30,112   dialing 12   called 1,661   retry 6,101   completed 55,840
failed 4,187   no conversation 2,087

why not faster   24,321  outside local hours   next 13:00
                  6,101  retry not due         next 12:41
                  4,491  no number is usable   next Wed 00:00  (2 of 4 at the d…
                  1,204  callable now          limit: call interval, 1 per 2.5 s
numbers        0000 ✔1 86   0001 ○ 7   0002 ▲5 64   0003 ▲6 100 full
               0004 ✖7 12 excluded   0005 ✔2 0 disabled

12:31:06  +4915***901  ☎ dialing               1 s
12:31:03  +4915***904  ☎ live                  3 s
12:30:58  +4915***909  ✔ human          2 min 23 s  completed
12:30:37  +4915***930  ○ no answer            25 s  retry 14:31, attempt 2 of 3
12:30:05  +4915***962  ◆ machine               4 s  outcome open until 12:46
12:30:04  +4915***963  ✖ invalid number             failed: invalid number
12:30:03  +4915***964  ○ busy                       called again since
12:30:02  +4915***965  ○ released                   given back, not counted
p pause  r resume  e explain  ? help  q leave (the campaign goes on)"""

WIDE: Final = """\
Renewals Q4  ▶ active  open until 20:00 Europe/Berlin                                   12:31:07 CET  live, 0.4 s behind
█████████████████████████████···················  62.1 %  62,114 of 100,000
finish ≈ Thu 15:40   (estimate; the range: dialer forecast 'Renewals Q4')

calling 12 of 15   attempts 24/min (max 24)   human 44.1 % ··▂▃▄▅▆▇
pending 30,112   dialing 12   called 1,661   retry 6,101   completed 55,840   failed 4,187   no conversation 2,087

why not faster   24,321  outside local hours   next 13:00
                  6,101  retry not due         next 12:41
                  4,491  no number is usable   next Wed 00:00  (2 of 4 at the daily cap, 2 excluded for spam)
                  1,204  callable now          limit: call interval, 1 per 2.5 s
numbers        0000 ✔1 86   0001 ○ 7   0002 ▲5 64   0003 ▲6 100 full   0004 ✖7 12 excluded   0005 ✔2 0 disabled

12:31:06  +4915***901  ☎ dialing               1 s
12:31:03  +4915***904  ☎ live                  3 s
12:30:58  +4915***909  ✔ human          2 min 23 s  completed
12:30:37  +4915***930  ○ no answer            25 s  retry 14:31, attempt 2 of 3
12:30:05  +4915***962  ◆ machine               4 s  outcome open until 12:46
12:30:04  +4915***963  ✖ invalid number             failed: invalid number
12:30:03  +4915***964  ○ busy                       called again since
12:30:02  +4915***965  ○ released                   given back, not counted


















p pause  r resume  e explain  ? help  q leave (the campaign goes on)"""  # noqa: E501  a screen is as wide as it is

NARROW: Final = """\
Renewals Q4  ▶ active  open until 20:00…
12:31:07 CET  live, 0.4 s behind
████████·····  62.1 %  62,114 of 100,000
finish ≈ Thu 15:40 (estimate)
calling 12 of 15
attempts 24/min (max 24)
human 44.1 % ··▂▃▄▅▆▇   pending 30,112
dialing 12   called 1,661   retry 6,101
completed 55,840   failed 4,187
no conversation 2,087
why not faster
 24,321  outside local hours  next 13:00
12:31:06  +4915***901 ☎ dialing 1 s
12:31:03  +4915***904 ☎ live 3 s
p pause  r resume  e explain  ? help  q…"""

ASCII: Final = """\
Renewals Q4  > active  open until 20:00 Berlin  12:31:07 CET  live, 0.4 s behind
#############################...................  62.1 %  62,114 of 100,000
finish ~ Thu 15:40   (estimate; the range: dialer forecast 'Renewals Q4')

calling 12 of 15   attempts 24/min (max 24)   human 44.1 % ..:-=+*%
pending 30,112   dialing 12   called 1,661   retry 6,101   completed 55,840
failed 4,187   no conversation 2,087

why not faster   24,321  outside local hours   next 13:00
                  6,101  retry not due         next 12:41
                  4,491  no number is usable   next Wed 00:00  (2 of 4 at the d~
                  1,204  callable now          limit: call interval, 1 per 2.5 s
numbers        0000 +1 86   0001 o 7   0002 ^5 64   0003 ^6 100 full
               0004 x7 12 excluded   0005 +2 0 disabled

12:31:06  +4915***901  @ dialing               1 s
12:31:03  +4915***904  @ live                  3 s
12:30:58  +4915***909  + human          2 min 23 s  completed
12:30:37  +4915***930  o no answer            25 s  retry 14:31, attempt 2 of 3
12:30:05  +4915***962  # machine               4 s  outcome open until 12:46
12:30:04  +4915***963  x invalid number             failed: invalid number
12:30:03  +4915***964  o busy                       called again since
12:30:02  +4915***965  o released                   given back, not counted
p pause  r resume  e explain  ? help  q leave (the campaign goes on)"""


def look(width: int, height: int, **fields: Any) -> Look:
    return Look(width, height, CLOCK, **fields)


def drawn(frame: Frame, seen: Look) -> str:
    return "\n".join(text_of(line) for line in draw(frame, seen))


@pytest.mark.parametrize(
    ("seen", "screen"),
    [
        (look(80, 24), TERMINAL),
        (look(120, 40), WIDE),
        (look(40, 15), NARROW),
        (look(80, 24, plain=True), ASCII),
    ],
    ids=["terminal", "wide", "narrow", "ascii"],
)
def test_a_campaign_in_full_swing(seen: Look, screen: str) -> None:
    assert drawn(FRAME, seen) == screen


@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.booleans(),
    st.sampled_from([*CampaignStatus]),
    st.text(max_size=60),
)
def test_a_screen_of_any_size_is_never_overflown(
    width: int, height: int, plain: bool, status: CampaignStatus, name: str
) -> None:
    frame = replace(FRAME, status=status, name=name, paused_at=NOW, paused_by=name)

    lines = draw(frame, look(width, height, plain=plain, banner=name, note=name))

    assert len(lines) <= height
    assert all(sum(cell_len(span.text) for span in line) <= width for line in lines)


def test_nothing_but_ascii_is_drawn_where_nothing_else_can_be() -> None:
    for seen in (look(80, 24, plain=True), look(40, 15, plain=True), look(200, 60, plain=True)):
        assert drawn(FRAME, seen).isascii()


def test_a_colour_never_says_what_no_word_says() -> None:
    styles = {span.style for line in draw(FRAME, look(120, 40)) for span in line}

    assert styles <= {
        "", "bold", "green", "yellow", "red", "magenta", "bright_black", "bold red",
    }  # fmt: skip
    for status in CampaignStatus:
        assert str(status) in drawn(replace(FRAME, status=status), look(80, 24))


# -- what comes first -----------------------------------------------------------------------------


def test_a_paused_campaign_says_who_paused_it_when_and_why() -> None:
    paused = replace(
        FRAME,
        status=CampaignStatus.PAUSED,
        paused_at=at(9, 31),
        paused_by="ana@desk",
        pause_reason="script\nwrong",
    )

    screen = drawn(paused, look(80, 24))

    assert "❚❚ paused" in screen
    assert 'paused 09:31 by ana@desk: "script wrong"' in screen
    assert "finish" not in screen


def test_a_hold_is_above_everything_the_campaign_says_of_itself() -> None:
    hold = Hold(at(12, 0), "ana", "wrong list", None, None, None)

    _, second, *_ = drawn(replace(FRAME, held=hold), look(80, 24)).splitlines()

    assert second == "EVERYTHING IS HELD since 12:00 by ana: wrong list"


@pytest.mark.parametrize(
    ("pulse", "words_"),
    [
        (Pulse(Life.LIVE, NOW, 0), "live, 0.0 s behind"),
        (Pulse(Life.STALE, at(12, 30, 50), 0), "stale since 12:30:50"),
        (Pulse(Life.NO_DAEMON, None, 0), "no daemon: dialer run"),
    ],
)
def test_the_age_of_what_is_seen_is_always_told(pulse: Pulse, words_: str) -> None:
    first, *_ = drawn(replace(FRAME, pulse=pulse), look(100, 24)).splitlines()

    assert first.endswith(f"12:31:07 CET  {words_}")


def test_a_frame_that_could_not_be_read_again_stays_below_the_reason() -> None:
    first, second, *rest = drawn(FRAME, look(100, 24, banner="database is locked")).splitlines()

    assert first == "! database is locked"
    assert second.endswith("not read")
    assert any("62,114 of 100,000" in line for line in rest)


def test_a_campaign_that_is_over_waits_for_nothing() -> None:
    over = replace(FRAME, status=CampaignStatus.COMPLETED, ended_at=at(12, 0), waits=[])

    screen = drawn(over, look(80, 24))

    assert "completed 12:00" in screen
    assert "why not faster" not in screen


def test_a_campaign_that_starts_later_says_when() -> None:
    later = replace(FRAME, start_at=at(9, 0, day=25))

    assert "starts Wed 09:00" in drawn(later, look(80, 24))


def test_help_names_every_key() -> None:
    screen = drawn(FRAME, look(80, 24, help=True))

    assert all(f"\n  {key}  " in screen for key in "qpre?")


def test_without_keys_there_is_no_line_of_them() -> None:
    assert "q leave" not in drawn(FRAME, look(80, 24, keys=False))


@pytest.mark.parametrize(
    ("reason", "limit"),
    [
        (WaitReason.CALL_INTERVAL, "limit: call interval, 1 per 2.5 s"),
        (WaitReason.CALLS_PER_SECOND, "limit: account, 10 calls/s"),
        (WaitReason.CAMPAIGN_CONCURRENCY, "limit: its calls at once, 15"),
        (WaitReason.ACCOUNT_CONCURRENCY, "limit: account's calls at once"),
        (WaitReason.NEXT, "their turn comes"),
    ],
)
def test_whoever_could_be_called_is_told_the_limit(reason: WaitReason, limit: str) -> None:
    wait = {"reason": reason, "members": 9, "until_at": None, "detail": "", "noted_at": NOW}

    screen = drawn(replace(FRAME, waits=[wait]), look(80, 24))

    assert f"9  callable now          {limit}" in screen


def test_nobody_waiting_and_nobody_there_are_two_things() -> None:
    assert "nobody waits for a call" in drawn(replace(FRAME, waits=[]), look(80, 24))
    empty = replace(FRAME, waits=[], tally=replace(TALLY, members={}))
    assert "nobody is in this campaign yet" in drawn(empty, look(80, 24))


# -- words ----------------------------------------------------------------------------------------


def test_every_reason_outcome_and_status_has_its_words() -> None:
    for reason in WaitReason:
        assert "_" not in words.reason(reason)
        assert reason in words._REASONS, reason
    assert set(words.OUTCOME) == set(Outcome)
    assert set(words.STATUS) == set(CampaignStatus)
    assert words.reason("something_new") == "something new"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (59.9, "59 s"), (143, "2 min 23 s"), (3_900, "1 h 05 min"),
        (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_lengths_are_told_as_people_do(seconds: float, text: str) -> None:
    assert words.length(seconds) == text
    assert text.startswith(words.about(seconds))


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (at(13, 0), "13:00"),
        (at(9, 0, day=26), "Thu 09:00"),
        (at(9, 0, day=23), "Mon 23 Nov 09:00"),
        (at(9, 0, day=30) + 40 * 86_400_000, "Sat 09 Jan 2027 09:00"),
    ],
)
def test_a_moment_has_as_much_of_a_date_as_it_needs(instant: int, text: str) -> None:
    assert CLOCK.short(instant) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (HoursNow(True, None, None), "always open"),
        (HoursNow(True, at(20, 0), "Europe/Berlin"), "open until 20:00 Berlin"),
        (HoursNow(False, at(15, 0), "America/New_York"), "closed until 09:00 New York"),
        (HoursNow(False, None, "UTC"), "always closed, UTC"),
    ],
)
def test_hours_are_told_in_their_own_zone(hours: HoursNow, text: str) -> None:
    assert words.hours(hours, CLOCK, city=True) == text


def test_a_rate_of_few_calls_is_not_told() -> None:
    assert [words.rate(19, 19), words.rate(20, 5)] == ["\N{EN DASH}", "25.0 %"]


def test_a_sparkline_has_a_bar_for_each_slot_that_has_calls() -> None:
    slots = [Rate(4, 4), Rate(10, 0), Rate(10, 5), Rate(10, 10)]

    assert sparkline(slots) == "·▁▅█"
    assert sparkline(slots, plain=True) == "._+#"


def test_what_follows_a_call_is_told_of_every_state() -> None:
    for state in MemberState:
        told = follows(call(1, member=state), CLOCK)
        assert told
        assert "_" not in told
    assert follows(CALLS[0], CLOCK) == ""


# -- lines and JSON -------------------------------------------------------------------------------


def test_the_first_lines_say_how_things_stand() -> None:
    assert news(None, FRAME, CLOCK)[:2] == [
        "12:31:07 CET  Renewals Q4  active  open until 20:00 Europe/Berlin",
        "12:31:07 CET  engine    live",
    ]


def test_a_frame_like_the_one_before_is_no_news() -> None:
    assert news(FRAME, replace(FRAME, at=NOW + 1000), CLOCK) == []


def test_counts_of_reasons_are_no_news_but_reasons_are() -> None:
    fewer = [{**row, "members": row["members"] - 1} for row in FRAME.waits]
    assert news(FRAME, replace(FRAME, waits=fewer), CLOCK) == []

    (line,) = news(FRAME, replace(FRAME, waits=fewer[:1]), CLOCK)
    assert line == "12:31:07 CET  waiting   24,320 outside local hours until 13:00"


def test_each_change_is_a_line() -> None:
    hold = Hold(NOW, "ana", "wrong list", None, None, None)
    members = {**TALLY.members, MemberState.DIALING: 11, MemberState.CALLED: 1_662}
    ended = replace(
        CALLS[1],
        state=AttemptState.ENDED,
        outcome=Outcome.HUMAN,
        duration_s=8,
        member=MemberState.CALLED,
    )
    after = replace(
        FRAME,
        status=CampaignStatus.PAUSED,
        paused_at=NOW,
        paused_by="ana",
        pause_reason="script wrong",
        held=hold,
        pulse=Pulse(Life.STALE, at(12, 31), 0),
        hours=HoursNow(False, at(8, 0, day=25), "Europe/Berlin"),
        tally=replace(TALLY, members=members),
        calls=[call(0, id="f" * 12, outcome=None, since_at=None), ended, *CALLS[2:]],
    )

    assert [line.removeprefix("12:31:07 CET  ") for line in news(FRAME, after, CLOCK)] == [
        'campaign  paused by ana: "script wrong"',
        "engine    stale since 12:31:00",
        "held      everything, by ana: wrong list",
        "hours     closed until Wed 08:00 Europe/Berlin",
        "members   dialing 11  called 1,662  done 62,114 of 100,000",
        "call      +4915***904  human  8 s  outcome open",
        "call      +4915***900  ended  2 min 23 s  completed",
    ]
    assert "12:31:07 CET  held      no more" in news(after, FRAME, CLOCK)


def test_json_has_every_fact_and_no_number_of_a_callee() -> None:
    data = as_json(FRAME)

    assert (data["contacts"], data["done"], data["left"]) == (100_000, 62_114, 37_886)
    assert data["hours"] == {
        "open": True,
        "changes_at": "2026-11-24T19:00:00.000Z",
        "zone": "Europe/Berlin",
    }
    assert data["tightest_limit"] == "call_interval"
    assert data["human_rate"] == pytest.approx(0.4406, abs=1e-3)
    assert [each["unusable"] for each in data["numbers"]][3:] == [
        "daily_cap", "excluded", "disabled",
    ]  # fmt: skip
    assert all("***" in each["to"] for each in data["calls"])
    paused = replace(FRAME, paused_at=NOW, paused_by="ana", pause_reason="tea")
    assert as_json(paused)["paused"] == {
        "at": "2026-11-24T11:31:07.000Z", "by": "ana", "reason": "tea",
    }  # fmt: skip
