"""`dialer dnc`: the do-not-call list."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands import dnc_files
from dialer.commands.console import (
    confirm_typed,
    counted,
    emit,
    iso,
    moment,
    one_line,
    rows_wanted,
    say,
    say_more,
    table,
)
from dialer.commands.dnc_entries import (
    EVERY_CAMPAIGN,
    entry_json,
    names,
    scope_of,
    show,
    subject,
    where,
)
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.do_not_call import Added
    from dialer.model import CampaignId
    from dialer.ports import Row, Tx

app = typer.Typer(help="The do-not-call list: who must not be called.", no_args_is_help=True)

Phone = Annotated[str, typer.Argument(help="The number, as in +12025550123.")]
Campaign = Annotated[str | None, typer.Option("--campaign", "-c", help="Campaign name or id.")]
Note = Annotated[str, typer.Option(help="Why, and on whose word; kept in the history.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: dialer dnc add +12025550123 --note 'asked by letter'")
def add(
    phones: Annotated[
        list[str], typer.Argument(metavar="PHONE...", help="Numbers, as in +12025550123.")
    ],
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="This campaign only; else every one.")
    ] = None,
    note: Note = "",
    json_: Json = False,
) -> None:
    """Call somebody no more, from now on; who waits for a call will not get it."""
    from dialer import do_not_call
    from dialer.commands.session import erased_phones, settings_of, writing
    from dialer.ports import Tx

    numbers = list(dict.fromkeys(_number(phone) for phone in phones))
    erased = erased_phones(settings_of())

    async def use_case(tx: Tx, now: int) -> tuple["Added", str | None]:
        await erased.refuse(tx, numbers)
        scope, name = await scope_of(tx, campaign)
        return await do_not_call.add(tx, numbers, now, scope=scope, note=note.strip()), name

    done, name = writing(use_case)
    if json_:
        emit(
            {
                "phones": numbers,
                "campaign": name,
                "added": done.added,
                "same": done.present,
                "members_failed": done.members_failed,
            }
        )
        return
    everywhere = repr(name) if name else EVERY_CAMPAIGN
    if done.added:
        say(f"{subject(numbers, done.added)} on the do-not-call list now, for {everywhere}")
    if done.present:
        say(
            f"{subject(numbers, done.present)} listed for {everywhere} already; nothing was changed"
        )
    if done.members_failed:
        say(f"{counted(done.members_failed, 'waiting member')} will get no call because of it")
    say(f"next:  dialer dnc check {numbers[0]}")


@app.command(epilog="Example: dialer dnc remove +12025550123 --note 'asked to be called again'")
def remove(
    phone: Phone,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", "-c", help="The entry of this campaign; else that of all."),
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="All entries of the number.")
    ] = False,
    note: Note = "",
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Take one entry of a number off the list, or all of them: it may be called again.

    Without an option it is the entry for every campaign. Members that failed because of it stay
    failed.
    """
    from dialer import do_not_call
    from dialer.commands.session import reading, writing
    from dialer.do_not_call import Source
    from dialer.errors import UsageError

    if everywhere and campaign is not None:
        raise UsageError("--everywhere takes all entries; leave --campaign out")
    number = _number(phone)

    async def look(tx: "Tx", _now: int) -> tuple["CampaignId", Sequence["Row"]]:
        scope, name = await scope_of(tx, campaign)
        entries = await do_not_call.entries_of(tx, number)
        going = [row for row in entries if everywhere or (row["campaign_id"] or 0) == scope]
        _check_listed(number, name, entries, going)
        return scope, going

    scope, going = reading(look)
    asked = any(row["source"] == Source.CALLEE for row in going)
    question = f"Take {number} off the do-not-call list of {names(going)}?"
    _confirm(f"The callee asked for it. {question}" if asked else question, number, yes=yes)

    async def use_case(tx: "Tx", now: int) -> tuple[int, Sequence["Row"]]:
        removed = await do_not_call.remove(
            tx, now, phone=number, scope=None if everywhere else scope, note=note.strip()
        )
        return removed, await do_not_call.entries_of(tx, number)

    removed, left = writing(use_case)
    if json_:
        emit({"phone": number, "removed": removed, "entries": [entry_json(row) for row in left]})
        return
    say(f"{number} is off the list: {counted(removed, 'entry', 'entries')} removed")
    if left:
        say(f"it is still listed for {names(left)}")
        say(f"next:  dialer dnc remove {number} --everywhere")


@app.command(epilog="Example: dialer dnc clear --campaign Renewals")
def clear(
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Campaign name or id.")],
    note: Note = "",
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Take all entries of a campaign off the list; those for every campaign stay."""
    from dialer import campaigns, do_not_call
    from dialer.commands.session import reading, writing
    from dialer.errors import NotFoundError
    from dialer.model import CampaignId

    async def look(tx: "Tx", _now: int) -> tuple["CampaignId", str, int]:
        row = await campaigns.find(tx, campaign)
        scope = CampaignId(row["id"])
        return scope, row["name"], await do_not_call.of_campaign(tx, scope)

    scope, name, count = reading(look)
    if not count:
        raise NotFoundError(
            f"campaign {name!r} has no do-not-call entries of its own",
            next_step="dialer dnc list",
        )
    entries = counted(count, "entry", "entries")
    _confirm(f"Take {entries} of campaign {name!r} off the do-not-call list?", name, yes=yes)

    async def use_case(tx: "Tx", now: int) -> int:
        return await do_not_call.remove(tx, now, scope=scope, note=note.strip())

    removed = writing(use_case)
    if json_:
        emit({"campaign": name, "removed": removed})
        return
    say(f"{counted(removed, 'entry', 'entries')} of campaign {name!r} removed")


@app.command("list", epilog="Example: dialer dnc list --search 'by letter' --json")
def list_(
    search: Annotated[str, typer.Option(help="Part of the number or the note.")] = "",
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Entries of this campaign's own.")
    ] = None,
    json_: Json = False,
) -> None:
    """Who must not be called, the latest first."""
    from dialer import do_not_call
    from dialer.commands.session import reading

    async def use_case(tx: "Tx", _now: int) -> Sequence["Row"]:
        scope, _ = await scope_of(tx, campaign)
        return await do_not_call.search(
            tx, search.strip(), scope=scope, limit=rows_wanted(as_json=json_)
        )

    rows = reading(use_case)
    if json_:
        emit([entry_json(row) for row in rows])
        return
    if not rows:
        say("no such entry" if search or campaign else "nobody is on the do-not-call list")
    show(rows)
    say_more(len(rows))


@app.command(epilog="Example: dialer dnc check +12025550123 --campaign Renewals && echo not listed")
def check(phone: Phone, campaign: Campaign = None, json_: Json = False) -> None:
    """Whether a number is on the list, since when, and by whom.

    Exit 0 when it is not, 1 when it is, or was erased; a question that cannot be answered never
    exits 0. With a campaign, entries of other campaigns do not count.
    """
    from dialer import do_not_call
    from dialer.commands.session import erased_phones, reading, settings_of

    number = _number(phone)
    erased = erased_phones(settings_of())

    async def use_case(tx: "Tx", _now: int) -> tuple[Sequence["Row"], int | None]:
        scope, name = await scope_of(tx, campaign)
        erased_at = await erased.at(tx, number)
        if name is None:
            return await do_not_call.entries_of(tx, number), erased_at
        return await do_not_call.holding(tx, number, scope), erased_at

    entries, erased_at = reading(use_case)
    if json_:
        facts = [entry_json(row) for row in entries]
        emit(
            {
                "phone": number,
                "listed": bool(entries),
                "entries": facts,
                "erased_at": iso(erased_at),
            }
        )
    else:
        show(entries)
        say(f"{number} is {'' if entries else 'not '}on the do-not-call list")
        if erased_at is not None:
            say(f"{number} was erased on {moment(erased_at)}: it is not called any more")
    if entries or erased_at is not None:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog="Example: dialer dnc history +12025550123 --json")
def history(phone: Phone, json_: Json = False) -> None:
    """When a number was listed, removed, and not called because it was listed."""
    from dialer import do_not_call
    from dialer.commands.session import reading

    number = _number(phone)

    async def use_case(tx: "Tx", _now: int) -> Sequence["Row"]:
        return await do_not_call.history_of(tx, number)

    rows = reading(use_case)
    if json_:
        emit(
            [
                {
                    "at": iso(row["at"]),
                    "event": row["event"],
                    "campaign": row["campaign"],
                    "detail": row["detail"],
                }
                for row in rows
            ]
        )
        return
    if not rows:
        say(f"{number} was never on the do-not-call list")
        return
    table(
        ["at", "event", "campaign", "detail"],
        [[moment(row["at"]), row["event"], where(row), one_line(row["detail"])] for row in rows],
        folds=True,
    )


def _number(phone: str) -> str:
    from dialer.commands.session import settings_of
    from dialer.phones import e164

    return e164(phone, settings_of().default_region)


def _check_listed(
    number: str, campaign: str | None, entries: Sequence["Row"], going: Sequence["Row"]
) -> None:
    from dialer.errors import NotFoundError

    if not entries:
        raise NotFoundError(
            f"{number} is not on the do-not-call list", next_step=f"dialer dnc history {number}"
        )
    if not going:
        asked = repr(campaign) if campaign else EVERY_CAMPAIGN
        raise NotFoundError(
            f"{number} has no entry for {asked}, only for {names(entries)}",
            next_step=f"dialer dnc remove {number} --everywhere",
        )


def _confirm(question: str, word: str, *, yes: bool) -> None:
    """Have *word* typed, on a terminal; elsewhere only *yes* lets people be called again."""
    confirm_typed(question, word, yes=yes, declined="nothing was removed")


app.command("import", epilog="Example: dialer dnc import stop.csv --map phone=Rufnummer")(
    dnc_files.import_
)
app.command(epilog="Example: dialer dnc export stop.csv")(dnc_files.export)
