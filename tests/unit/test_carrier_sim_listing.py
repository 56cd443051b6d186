"""Lists: every item on exactly one page, filters as documented."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.call import Call
from dialer.carrier_sim.listing import cut, page_body, wanted
from dialer.carrier_sim.profiles import SCRIPTED
from dialer.carrier_sim.status import Status
from tests.support.carrier_sim import CALLER, HUMAN, ORDER
from tests.support.virtual import EPOCH

PATH: Final = "/2010-04-01/Accounts/AC1/Calls.json"


def call(**state: Any) -> Call:
    """A call that is not attached to any carrier."""
    bare: Any = None
    made = Call(bare, "CA1", replace(ORDER, from_=CALLER), SCRIPTED[HUMAN], EPOCH)
    for name, value in state.items():
        setattr(made, name, value)
    return made


def walk(items: list[str], query: dict[str, str]) -> list[dict[str, Any]]:
    """Every page from the first on, as a client follows them."""
    bodies = []
    while True:
        page = cut(items, str, query)
        last = page.items[-1] if page.items else ""
        bodies.append(page_body(PATH, query, page, "calls", page.items, last))
        following = bodies[-1]["next_page_uri"]
        if following is None:
            return bodies
        query = dict(parse_qsl(urlsplit(following).query))


@given(st.integers(0, 30), st.integers(1, 12))
def test_following_the_pages_meets_every_item_once(count: int, size: int) -> None:
    items = [f"CA{number:02}" for number in range(count)]

    bodies = walk(items, {"PageSize": str(size), "To": HUMAN})

    assert [item for body in bodies for item in body["calls"]] == items
    assert [body["page"] for body in bodies] == list(range(len(bodies)))
    assert all(len(body["calls"]) == size for body in bodies[:-1])
    assert all(dict(parse_qsl(urlsplit(body["uri"]).query))["To"] == HUMAN for body in bodies)


def test_new_items_at_the_front_move_nothing_to_another_page() -> None:
    first = cut(["d", "c", "b", "a"], str, {"PageSize": "2"})

    second = cut(["f", "e", "d", "c", "b", "a"], str, {"PageSize": "2", "PageToken": "PAc"})

    assert [*first.items, *second.items] == ["d", "c", "b", "a"]


def test_a_page_may_be_asked_for_by_number() -> None:
    assert cut("abcdef", str, {"PageSize": "2", "Page": "1"}).items == ["c", "d"]


@pytest.mark.parametrize(
    ("asked", "size"), [("0", 1), ("1000", 1000), ("1001", 1000), ("many", 50), ("", 50)]
)
def test_a_page_is_never_larger_than_a_thousand(asked: str, size: int) -> None:
    assert cut("", str, {"PageSize": asked}).size == size


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"To": HUMAN, "From": CALLER, "Status": "completed"}, True),
        ({"To": CALLER}, False),
        ({"From": HUMAN}, False),
        ({"Status": "busy"}, False),
        ({"ParentCallSid": "CA2"}, False),
        ({"StartTime": "2026-01-05"}, True),
        ({"StartTime": "2026-01-06"}, False),
        ({"StartTime>": "2026-01-05"}, True),
        ({"StartTime>": "2026-01-05T23:00:00Z"}, True),  # days are all that is promised
        ({"StartTime>": "2026-01-06"}, False),
        ({"StartTime<": "2026-01-04"}, False),
        ({"StartTime<": "2026-01-05", "EndTime>": "2026-01-05"}, True),
        ({"EndTime<": "2026-01-04T23:59:59+00:00"}, False),
        ({"StartTime": "yesterday"}, True),  # unreadable, so no filter
    ],
)
def test_filters_hold(query: dict[str, str], found: bool) -> None:
    done = call(status=Status.COMPLETED, initiated_at=EPOCH, ended_at=EPOCH + 60_000)

    assert wanted(done, query) is found


def test_a_queued_call_has_no_start_to_be_found_by() -> None:
    assert wanted(call(), {"Status": "queued"})
    assert not wanted(call(), {"StartTime>": "2000-01-01"})
