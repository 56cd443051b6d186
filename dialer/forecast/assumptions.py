"""What a forecast takes for granted, in words: whoever reads it must know what it rests on."""

from collections.abc import Iterator, Sequence
from typing import Final

from dialer.forecast import history
from dialer.forecast.forecasting import Forecast
from dialer.states import CampaignStatus
from retries.outcome import Outcome

_AS_IF: Final = {
    CampaignStatus.DRAFT: "the campaign is a draft: this is as if it were started now",
    CampaignStatus.PAUSED: "the campaign is paused: this is as if it were resumed now",
    CampaignStatus.COMPLETED: "the campaign is completed: this is as if it were reopened now",
}

#: The outcomes whose shares are told.
_TOLD: Final = (Outcome.HUMAN, Outcome.MACHINE, Outcome.NO_ANSWER)


def assumptions(forecast: Forecast) -> list[str]:
    """One sentence each, the ones that move the answer most first."""
    return [*_rates(forecast), *_people(forecast), *_around(forecast), *_method(forecast)]


def _rates(forecast: Forecast) -> Iterator[str]:
    past, profile = forecast.snapshot.history, forecast.profile
    if profile is None:
        deck = history.deck_from(past)
        shares = [deck.share(outcome) for outcome in _TOLD]
        yield f"calls go as this campaign's last {len(past):,} did, {_in_words(shares)}"
        return
    first = history.first_calls(past)
    if forecast.options.profile is not None:
        why = "as asked for"
    elif first:
        why = f"because it has only {first:,} first calls of its own ({history.ENOUGH} are needed)"
    else:
        why = "because it has no calls of its own yet"
    shares = [profile.human / 100, profile.machine / 100, profile.no_answer / 100]
    yield f"calls go as in the carrier profile {profile.name!r}, {_in_words(shares)}, {why}"
    yield "a number is answered as often however many calls it has made that day"


def _in_words(shares: Sequence[float]) -> str:
    """The shares of the outcomes that decide most, at the first call."""
    parts = (f"{share:.0%} {outcome.value}" for share, outcome in zip(shares, _TOLD, strict=True))
    return f"{', '.join(parts)} at the first call".replace("_", " ")


def _people(forecast: Forecast) -> Iterator[str]:
    snapshot = forecast.snapshot
    if words := _AS_IF.get(snapshot.status):
        yield words
    if snapshot.held is not None:
        yield f"everything is held ({snapshot.held}): this is as if it were released now"
    if snapshot.under_way:
        yield f"{snapshot.under_way:,} calls under way are counted as still to be made"
    if snapshot.listed:
        yield f"{snapshot.listed:,} contacts on the do-not-call list are left out"
    if snapshot.nowhere:
        yield f"{snapshot.nowhere:,} contacts are left out because nobody knows their time zone"
    if snapshot.shut_out:
        yield f"{snapshot.shut_out:,} contacts are left out: the rules where they are stay closed"


def _around(forecast: Forecast) -> Iterator[str]:
    neighbours = forecast.snapshot.neighbours
    if neighbours:
        names = ", ".join(repr(name) for name, _ in neighbours[:3])
        more = f" and {len(neighbours) - 3} more" if len(neighbours) > 3 else ""
        shared = sum(numbers > 0 for _, numbers in neighbours)
        what = "the account and its numbers" if shared else "the account"
        yield (
            f"other active campaigns ({names}{more}) share {what}: their calls from now on are not"
            " counted, so it may take longer"
        )
    yield (
        "a daemon runs all the time, the carrier takes every call, and nobody changes settings,"
        " numbers, scores or the list"
    )


def _method(forecast: Forecast) -> Iterator[str]:
    if forecast.factor > 1:
        people = len(forecast.snapshot.members)
        yield (
            f"one in {forecast.factor:,.0f} of the {people:,} contacts is called, with limits as"
            " much smaller; --full calls everybody"
        )
