"""A forecast as programs read it; ``docs/reference/forecast.md`` says what each field means."""

from typing import Any

from dialer.commands.console import iso
from dialer.forecast.assumptions import assumptions
from dialer.forecast.forecasting import Forecast, Variant
from dialer.forecast.summary import Band, Day, Load, Summary, certainty


def as_json(forecast: Forecast) -> dict[str, Any]:
    """Everything that was found out, and what it rests on."""
    snapshot = forecast.snapshot
    return {
        "campaign": {"id": snapshot.id, "name": snapshot.name, "status": snapshot.status},
        "from": iso(snapshot.at),
        "zone": forecast.zone,
        "contacts": {
            "to_call": len(snapshot.members),
            "under_way": snapshot.under_way,
            "do_not_call": snapshot.listed,
            "zone_unknown": snapshot.nowhere,
            "rules_closed": snapshot.shut_out,
            "done": dict(snapshot.done),
        },
        "seed": forecast.options.seed,
        "runs": forecast.runs,
        "band": round(certainty(forecast.runs), 3),
        "people_per_person": forecast.factor,
        "days": forecast.options.days,
        "rates": {
            "source": "profile" if forecast.profile else "history",
            "profile": forecast.profile.name if forecast.profile else None,
            "calls": len(snapshot.history),
        },
        "assumptions": assumptions(forecast),
        "forecasts": [_variant(each, len(snapshot.members)) for each in forecast.variants],
    }


def _variant(variant: Variant, people: int) -> dict[str, Any]:
    found = {"name": variant.name, "obstacle": variant.obstacle}
    return found | (_summary(variant.summary, people) if variant.summary else {})


def _summary(summary: Summary, people: int) -> dict[str, Any]:
    finish = summary.finish
    return {
        "finish": {
            "low": _moment(finish.low),
            "middle": _moment(finish.middle),
            "high": _moment(finish.high),
            "runs_finished": summary.finished,
        },
        "calls": _counts(summary.calls),
        "reached": _counts(summary.reached),
        "never_reached": _counts(summary.never_reached),
        "never_reached_share": _shares(summary.never_reached, people),
        "left": _counts(summary.left),
        "limits_used": {limit: round(share, 3) for limit, share in summary.use.items()},
        "bottleneck": summary.bottleneck,
        "numbers_spent": {
            "days": round(summary.spent_days, 1),
            "from": clock_time(summary.spent_minute),
        },
        "days": [_day(each) for each in summary.days],
        "numbers": [_load(each) for each in summary.numbers],
    }


def _moment(at: float | None) -> str | None:
    return iso(None if at is None else round(at))


def _counts(band: Band) -> dict[str, int | None]:
    values = {"low": band.low, "middle": band.middle, "high": band.high}
    return {name: None if value is None else round(value) for name, value in values.items()}


def _shares(band: Band, people: int) -> dict[str, float | None]:
    values = {"low": band.low, "middle": band.middle, "high": band.high}
    return {
        name: None if value is None else round(value / people, 4) for name, value in values.items()
    }


def _day(day: Day) -> dict[str, Any]:
    return {
        "day": day.day.isoformat(),
        "calls": round(day.calls),
        "reached": round(day.reached),
        "left": round(day.left),
    }


def _load(load: Load) -> dict[str, Any]:
    return {
        "number": load.number.phone,
        "calls_a_day": round(load.calls_a_day, 1),
        "share_of_cap": round(load.of_cap, 3),
        "share_of_days_full": None if load.days_full is None else round(load.days_full, 3),
    }


def clock_time(minute: float | None) -> str | None:
    """A minute of the day as ``11:20``."""
    if minute is None:
        return None
    hours, minutes = divmod(round(minute), 60)
    return f"{hours:02}:{minutes:02}"
