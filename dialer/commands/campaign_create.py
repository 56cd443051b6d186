"""`dialer campaign create`: from flags, a file, or questions on a terminal."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import asks, emit, say

if TYPE_CHECKING:
    from dialer.ports import Row, Tx

EXAMPLES = (
    "Examples: dialer campaign create Renewals --number +15550100 --say 'Hello {{name}}' ·"
    " dialer campaign create Renewals -f renewals.toml"
)


def create(
    name: Annotated[str, typer.Argument(help="A name no other campaign has.")],
    number: Annotated[
        list[str] | None,
        typer.Option("--number", help="Caller id, as +1555…[=WEIGHT]; repeat for more."),
    ] = None,
    agent: Annotated[str | None, typer.Option(help="An agent made with: dialer agents add")] = None,
    say_text: Annotated[
        str | None, typer.Option("--say", help="Speak this text; {{name}} is filled in.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="TOML file with settings; flags go first.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Business hours; none = always open.")
    ] = None,
    start_at: Annotated[
        str | None, typer.Option("--start-at", help="Not before this time, ISO 8601.")
    ] = None,
    notes: Annotated[str | None, typer.Option(help="Free text.")] = None,
    labels: Annotated[str | None, typer.Option(help="Words to find it by: a,b.")] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="round_robin (default), lowest_spam, least_used_today or weighted."),
    ] = None,
    spam_threshold: Annotated[
        float | None,
        typer.Option(help="Numbers with this score or more are left out, 1-9; default 7."),
    ] = None,
    max_calls_per_day: Annotated[
        int | None, typer.Option(help="Per number, 1-1000; default 100.")
    ] = None,
    call_interval: Annotated[
        str | None,
        typer.Option(help="From start to start of calls: 10s (default), 2m, 0.5s; 0 = none."),
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option(help="Calls at once, 1-10000; default 10.")
    ] = None,
    ring_timeout: Annotated[
        int | None, typer.Option(help="Seconds a call may ring, 5-120; default 30.")
    ] = None,
    amd: Annotated[
        str | None,
        typer.Option(help="Who tells machines: text (default), ml, fused, carrier or off."),
    ] = None,
    amd_shadow: Annotated[
        str | None,
        typer.Option("--amd-shadow", help="Modes that judge as well and never act: ml,carrier."),
    ] = None,
    on_machine: Annotated[
        str | None, typer.Option(help="hang_up (default), leave_message or continue.")
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="Further attempts after the first, 0-10; default 2.")
    ] = None,
    retry_interval: Annotated[
        str | None,
        typer.Option(help="Wait before a retry, default 1h; a list gives one each: 30m,2h,1d."),
    ] = None,
    retry_rule: Annotated[
        list[str] | None,
        typer.Option(help="Per outcome, as busy=5m,15m or rejected=never; repeat for more."),
    ] = None,
    completion_timeout: Annotated[
        str | None,
        typer.Option(help="After a call, how long its outcome stays open; default 15m."),
    ] = None,
    calls_per_callee: Annotated[
        str | None,
        typer.Option(
            "--calls-per-callee",
            help="At most so many in any 24 hours and in any 7 days, all campaigns counted;"
            " default 3,7.",
        ),
    ] = None,
    stay_on_number: Annotated[
        bool | None,
        typer.Option(
            "--stay-on-number/--no-stay-on-number",
            help="Call a callee again from the same number (default).",
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a draft campaign; import contacts into it, then start it.

    On a terminal it asks for who talks and from which number, where no flag says so.
    """
    from dialer.commands import campaign_file
    from dialer.commands.session import writing

    given: dict[str, Any] = {
        "numbers": ",".join(number) if number else None,
        "agent": agent,
        "say": say_text,
        "schedule": schedule,
        "start_at": start_at,
        "notes": notes,
        "labels": labels,
        "strategy": strategy,
        "spam_threshold": spam_threshold,
        "max_calls_per_day": max_calls_per_day,
        "call_interval": call_interval,
        "max_concurrent": max_concurrent,
        "ring_timeout": ring_timeout,
        "amd": amd,
        "amd_shadow": amd_shadow,
        "on_machine": on_machine,
        "retries": retries,
        "retry_interval": retry_interval,
        "retry_rule": "; ".join(retry_rule) if retry_rule else None,
        "completion_timeout": completion_timeout,
        "calls_per_callee": calls_per_callee,
        "stay_on_number": None if stay_on_number is None else "yes" if stay_on_number else "no",
    }
    texts = campaign_file.read(file) if file else {}
    if agent is not None or say_text is not None:  # in place of whoever talks in the file
        texts = {key: text for key, text in texts.items() if key not in ("agent", "say")}
    texts |= {key: str(value) for key, value in given.items() if value is not None}
    texts = _asked(texts | {"name": name})

    async def use_case(tx: "Tx", now: int) -> "Row":
        return await _make(tx, texts, now)

    row = writing(use_case)
    if json_:
        emit({"id": row["id"], "name": row["name"], "status": row["status"]})
        return
    say(f"campaign {row['name']!r} is made (id {row['id']}), as a draft")
    say(f"next:  dialer contacts import FILE.csv --campaign {row['name']!r}")


async def _make(tx: "Tx", texts: dict[str, str], now: int) -> "Row":
    from dialer import campaigns
    from dialer.commands.campaign_lookups import looked_up
    from dialer.commands.campaign_settings import read_fields
    from dialer.errors import UsageError

    if ("agent" in texts) == ("say" in texts):
        raise UsageError(
            "say who talks to people: either --agent NAME or --say TEXT",
            next_step="dialer campaign create --help",
        )
    campaigns.check_name(texts["name"])
    # An agent that stays behind when the rest is refused is gone with the transaction.
    fields = {"numbers": ()} | await looked_up(tx, texts, texts["name"], now)
    new = campaigns.NewCampaign(**fields | read_fields(texts))
    await campaigns.create(tx, new, now)
    return await campaigns.find(tx, new.name)


def _asked(texts: dict[str, str]) -> dict[str, str]:
    """*texts* with the answers of whoever sits there to what is missing; as they are elsewhere."""
    from dialer import numbers
    from dialer.commands.asking import ask
    from dialer.commands.session import reading

    missing = {"numbers"} - texts.keys() | (
        {"say"} - texts.keys() if "agent" not in texts else set()
    )
    if not missing or not asks():
        return texts
    answers = {}
    if "numbers" in missing:
        known = [each.row for each in reading(numbers.reports)]
        for row in known:
            say(f"  {row['phone']}  {row['name']}")
        default = known[0]["phone"] if known else None
        answers["numbers"] = ask("Call from which numbers", default, trouble=_trouble_of("numbers"))
    if "say" in missing:
        question = "What is to be said ({{name}} is filled in)"
        answers["say"] = ask(question, trouble=_trouble_of("say"))
    if "say" in missing and "schedule" not in texts:
        for row in reading(_schedules):
            say(f"  {row['name']}")
        question = "Business hours, by schedule"
        answers["schedule"] = ask(question, "none", trouble=_trouble_of("schedule"))
    return texts | answers


async def _schedules(tx: "Tx", _now: int) -> "Sequence[Row]":
    from dialer import schedules

    return await schedules.listed(tx)


def _trouble_of(key: str) -> Callable[[str], str]:
    """What says why a setting cannot have a value, as making the campaign would."""
    from dialer.commands.campaign_lookups import looked_up
    from dialer.commands.session import reading
    from dialer.errors import NotFoundError, UsageError

    def trouble(text: str) -> str:
        async def use_case(tx: "Tx", now: int) -> dict[str, Any]:
            return await looked_up(tx, {key: text}, "", now, preview=True)

        try:
            reading(use_case)
        except (NotFoundError, UsageError) as error:
            return error.message
        return ""

    return trouble
