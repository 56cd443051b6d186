"""`dialer explain`: why somebody is called or not, and when they may be."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import emit, iso, moment, say, spoken, table

if TYPE_CHECKING:
    from dialer.explaining import Check, Explainer, Explanation
    from dialer.ports import Row

#: What an empty answer means.
_NOTHING = {"local time": "unknown", "rules": "none in force"}
EXAMPLES = "Examples: dialer explain +12025550123 · dialer explain 17 --at 2026-03-02T09:00:00Z"


@dataclass(frozen=True, slots=True)
class _Answer:
    contact: "Row"
    explanations: "Sequence[Explanation]"
    calls: "Sequence[Row]"


def explain(
    contact: Annotated[str, typer.Argument(help="Phone number or id of a contact.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="This campaign only; else every one.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="As of another time, ISO 8601 with its offset.")
    ] = None,
    call: Annotated[
        str | None,
        typer.Option("--call", help="A call that was made, by its id or its carrier's; or: last."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every check before a call: what it is answered from, and what would change the answer.

    Exit code 0, whatever the answer is: it is in the first line of each campaign, and in JSON.
    """
    from dialer import campaigns
    from dialer.commands.parsing import instant
    from dialer.commands.session import reading, settings_of
    from dialer.errors import NotFoundError, UsageError
    from dialer.explaining import Moment
    from dialer.model import AttemptId
    from dialer.people import contacts
    from dialer.ports import Tx

    if at is not None and call is not None:
        raise UsageError("--call asks about the time of that call; leave --at out")
    settings = settings_of()
    explainer = _explainer(settings)
    asked_at = instant(at) if at else None

    async def use_case(tx: Tx, now: int) -> _Answer:
        known = await contacts.dossier(tx, contact, settings.default_region)
        campaign_id = (await campaigns.find(tx, campaign))["id"] if campaign else None
        if call is not None:
            made_for = [
                each
                for each in known.attempts
                if campaign_id is None or each["campaign_id"] == campaign_id
            ]
            attempt = _called(made_for, call)
            made = await explainer.of_attempt(tx, AttemptId(attempt["id"]))
            return _Answer(known.contact, [made], [attempt])
        when = Moment(now if asked_at is None else asked_at, live=asked_at is None)
        found = await explainer.of_contact(tx, known.contact["id"], when, campaign_id)
        if not found:
            where = f"campaign {campaign!r}" if campaign else "any campaign"
            raise NotFoundError(
                f"contact {contact!r} is no member of {where}",
                next_step=f"dialer contacts add {known.contact['phone']} --campaign NAME",
            )
        return _Answer(known.contact, found, known.attempts)

    def _called(attempts: "Sequence[Row]", wanted: str) -> "Row":
        for attempt in reversed(attempts):
            if wanted == "last" or wanted in (attempt["id"], attempt["sid"]):
                return attempt
        raise NotFoundError(
            f"contact {contact!r} has had no call {wanted!r}",
            next_step=f"dialer contacts show {contact!r}",
        )

    answer = reading(use_case)
    if json_:
        emit(_as_json(answer))
    else:
        _show(answer, past=call is not None)


def _explainer(settings: Any) -> "Explainer":
    from dialer.bounds import account_limits, claim_times
    from dialer.explaining import Explainer
    from dialer.holiday_calendars import public_holidays
    from dialer.plans import Plans

    return Explainer(Plans(public_holidays), account_limits(settings), claim_times(settings))


# -- as people read it ----------------------------------------------------------------------------


def _show(answer: _Answer, *, past: bool) -> None:
    """For people a head and a table each; piped, rows that begin with the campaign's name."""
    contact, piped = answer.contact, not sys.stdout.isatty()
    say(f"{contact['name'] or 'contact'} {contact['phone']} (id {contact['id']})")
    for each in answer.explanations:
        verdict = _made(each) if past else _verdict(each)
        rows = [
            ["ok" if check.passed else "NO", check.question.value, _words(check)]
            for check in each.checks
        ]
        if piped:
            head = [each.campaign, each.verdict.value, "verdict", verdict]
            table(["campaign", "", "check", "answer"], [head, *([each.campaign, *r] for r in rows)])
        else:
            say("")
            say(f"{each.campaign}: {verdict}")
            table(["", "check", "answer"], rows, folds=True)
        for check in each.checks:
            if check.cure:
                say(f"to change it ({check.question}):  {check.cure}")
    if answer.calls and not past and not piped:
        say("")
        say("calls so far; `--call ID` shows what each was decided by")
        rows = [
            [
                call["id"],
                moment(call["intent_at"]),
                call["campaign"],
                call["outcome"] or call["state"],
            ]
            for call in answer.calls
        ]
        table(["id", "at", "campaign", "outcome"], rows)


def _verdict(explanation: "Explanation") -> str:
    from dialer.explaining import Verdict

    held = [check for check in explanation.checks if not check.passed]
    match explanation.verdict:
        case Verdict.NOW:
            return f"may be called at {moment(explanation.at)}"
        case Verdict.NEVER:
            return f"is not called ({held[0].reason})"
        case Verdict.LATER:
            when = explanation.next_at
            # A pause ends when somebody ends it: no moment can be told for that.
            then = (
                f"; the next moment for it: {moment(when)}"
                if when and when > explanation.at
                else ""
            )
            return f"not at {moment(explanation.at)} ({held[0].reason}){then}"


def _made(explanation: "Explanation") -> str:
    return f"a call that was decided at {moment(explanation.at)}, with the campaign as it is today"


def _words(check: "Check") -> str:
    """What was asked and answered, in one line."""
    told = ", ".join(
        f"{name} {_value(value) or _NOTHING.get(name, 'none')}"
        for name, value in check.inputs.items()
        if value is not None
    )
    if check.passed:
        return told
    until = f", until {moment(check.until_at)}" if check.until_at else ""
    return f"{check.reason}{until}: {told}" if told else f"{check.reason}{until}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return str(spoken(value))


# -- as programs read it --------------------------------------------------------------------------


def _as_json(answer: _Answer) -> dict[str, Any]:
    contact = answer.contact
    return {
        "contact": {"id": contact["id"], "phone": contact["phone"], "name": contact["name"]},
        "explanations": [
            {
                "campaign": each.campaign,
                "state": each.member["state"],
                "at": iso(each.at),
                "verdict": each.verdict,
                "next_at": iso(each.next_at),
                "checks": [
                    {
                        "question": check.question.value,
                        "passed": check.passed,
                        "reason": check.reason,
                        "until": iso(check.until_at),
                        "inputs": check.inputs,
                        "cure": check.cure or None,
                    }
                    for check in each.checks
                ],
            }
            for each in answer.explanations
        ],
        "calls": [
            {
                "id": call["id"],
                "campaign": call["campaign"],
                "at": iso(call["intent_at"]),
                "state": call["state"],
                "outcome": call["outcome"],
                "sid": call["sid"],
            }
            for call in answer.calls
        ],
    }
