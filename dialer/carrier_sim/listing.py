"""Filtered, paged lists as Twilio gives them. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import dropwhile, islice
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from dialer.carrier_sim.call import Call

T = TypeVar("T")

PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1000
_PAGING: Final = frozenset({"PageSize", "Page", "PageToken"})
_COMPARE: Final[Mapping[str, Callable[[date, date], bool]]] = {
    "": lambda day, given: day == given,
    "<": lambda day, given: day <= given,
    ">": lambda day, given: day >= given,
}


def wanted(call: Call, query: Mapping[str, str]) -> bool:
    """Whether *call* passes the filters of a list request.

    Times compare by UTC day, which is all that is documented; a call without the time asked for,
    such as a queued one, is left out.
    """
    if query.get("ParentCallSid"):
        return False
    exact = {"To": call.order.to, "From": call.order.from_, "Status": str(call.status)}
    if any(query.get(name, value) != value for name, value in exact.items()):
        return False
    times = {"StartTime": call.initiated_at, "EndTime": call.ended_at}
    return all(_on_day(at, name, query) for name, at in times.items())


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A slice of a list; *more* tells whether another one follows."""

    items: Sequence[T]
    number: int
    size: int
    more: bool


def cut(items: Iterable[T], name_of: Callable[[T], str], query: Mapping[str, str]) -> Page[T]:
    """The page *query* asks for.

    It begins after the item its token names, so that what is new at the front moves nothing.
    """
    size = min(MAX_PAGE_SIZE, max(1, _integer(query.get("PageSize"), PAGE_SIZE)))
    number = _integer(query.get("Page"), 0)
    remaining: Iterable[T] = items
    if last := query.get("PageToken", "")[2:]:
        remaining = islice(dropwhile(lambda item: name_of(item) != last, items), 1, None)
    elif number:
        remaining = islice(items, number * size, None)
    found = list(islice(remaining, size + 1))
    return Page(found[:size], number, size, len(found) > size)


def page_body(
    path: str,
    query: Mapping[str, str],
    page: Page[T],
    key: str,
    resources: Sequence[Any],
    last: str,
) -> dict[str, Any]:
    """The JSON body of a page of *resources*; *last* names its last item."""
    filters = {name: value for name, value in query.items() if name not in _PAGING}

    def uri(number: int, token: str = "") -> str:
        paging: dict[str, object] = {"PageSize": page.size, "Page": number}
        paging |= {"PageToken": f"PA{token}"} if token else {}
        return f"{path}?{urlencode(filters | paging)}"

    start = page.number * page.size
    return {
        key: list(resources),
        "page": page.number,
        "page_size": page.size,
        "start": start,
        "end": start + max(0, len(resources) - 1),
        "uri": uri(page.number),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(page.number - 1) if page.number else None,
        "next_page_uri": uri(page.number + 1, last) if page.more else None,
    }


def _on_day(at: int | None, name: str, query: Mapping[str, str]) -> bool:
    for suffix, holds in _COMPARE.items():
        given = _day(query.get(name + suffix, ""))
        if given is None:
            continue
        if at is None or not holds(datetime.fromtimestamp(at / 1000, UTC).date(), given):
            return False
    return True


def _day(text: str) -> date | None:
    """The UTC day of a date or time; None for neither."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC).date() if time.tzinfo else time.date()


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
