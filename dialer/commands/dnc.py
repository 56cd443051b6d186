"""`dialer dnc`: the do-not-call list."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import (
    PARTLY,
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

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.do_not_call import Added
    from dialer.do_not_call_files import EntryCounts
    from dialer.model import CampaignId
    from dialer.ports import Row, Tx

app = typer.Typer(help="The do-not-call list: who must not be called.", no_args_is_help=True)

Phone = Annotated[str, typer.Argument(help="The number, as in +12025550123.")]
Campaign = Annotated[str | None, typer.Option("--campaign", "-c", help="Campaign name or id.")]
Note = Annotated[str, typer.Option(help="Why, and on whose word; kept in the history.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

EVERY_CAMPAIGN = "every campaign"


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
        scope, name = await _scope(tx, campaign)
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
    where = repr(name) if name else EVERY_CAMPAIGN
    if done.added:
        say(f"{_subject(numbers, done.added)} on the do-not-call list now, for {where}")
    if done.present:
        say(f"{_subject(numbers, done.present)} listed for {where} already; nothing was changed")
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
        scope, name = await _scope(tx, campaign)
        entries = await do_not_call.entries_of(tx, number)
        going = [row for row in entries if everywhere or (row["campaign_id"] or 0) == scope]
        _check_listed(number, name, entries, going)
        return scope, going

    scope, going = reading(look)
    asked = any(row["source"] == Source.CALLEE for row in going)
    question = f"Take {number} off the do-not-call list of {_names(going)}?"
    _confirm(f"The callee asked for it. {question}" if asked else question, number, yes=yes)

    async def use_case(tx: "Tx", now: int) -> tuple[int, Sequence["Row"]]:
        removed = await do_not_call.remove(
            tx, now, phone=number, scope=None if everywhere else scope, note=note.strip()
        )
        return removed, await do_not_call.entries_of(tx, number)

    removed, left = writing(use_case)
    if json_:
        emit({"phone": number, "removed": removed, "entries": [_entry_json(row) for row in left]})
        return
    say(f"{number} is off the list: {counted(removed, 'entry', 'entries')} removed")
    if left:
        say(f"it is still listed for {_names(left)}")
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
        scope, _ = await _scope(tx, campaign)
        return await do_not_call.search(
            tx, search.strip(), scope=scope, limit=rows_wanted(as_json=json_)
        )

    rows = reading(use_case)
    if json_:
        emit([_entry_json(row) for row in rows])
        return
    if not rows:
        say("no such entry" if search or campaign else "nobody is on the do-not-call list")
    _show_entries(rows)
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
        scope, name = await _scope(tx, campaign)
        erased_at = await erased.at(tx, number)
        if name is None:
            return await do_not_call.entries_of(tx, number), erased_at
        return await do_not_call.holding(tx, number, scope), erased_at

    entries, erased_at = reading(use_case)
    if json_:
        facts = [_entry_json(row) for row in entries]
        emit(
            {
                "phone": number,
                "listed": bool(entries),
                "entries": facts,
                "erased_at": iso(erased_at),
            }
        )
    else:
        _show_entries(entries)
        say(f"{number} is {'' if entries else 'not '}on the do-not-call list")
        if erased_at is not None:
            say(f"{number} was erased on {moment(erased_at)}: it is not called any more")
    if entries or erased_at is not None:
        raise typer.Exit(1)


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
        [[moment(row["at"]), row["event"], _where(row), one_line(row["detail"])] for row in rows],
    )


@app.command("import", epilog="Example: dialer dnc import stop.csv --map phone=Rufnummer")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file; - reads standard input.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Of rows that name none; else every one.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", help="phone, campaign or note=COLUMN; repeat for more."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where rejected rows go; else FILE.rejected.csv.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Country of numbers without one; else DIALER_DEFAULT_REGION.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How the file is written, if it is read wrongly: cp1250.")
    ] = None,
    json_: Json = False,
) -> None:
    """Put everybody in a file on the list.

    Columns are phone and, if the file has them, campaign (its name; empty: every campaign) and
    note. Who is listed already stays so: a file may be imported again at any time. Exit 7 when
    rows were rejected; the others are in.
    """
    from dialer.commands import importing
    from dialer.commands.session import settings_of, working
    from dialer.do_not_call_files import EntriesOrder, columns_of
    from dialer.lists.columns import Field
    from dialer.lists.csvio import open_table
    from dialer.lists.rejected_rows import RejectedRows, rejected_path
    from dialer.phones import check_region

    in_region = check_region(region or settings_of().default_region)
    path = report or rejected_path(file)
    importing.check_apart(file, path)
    with open_table(file, encoding=encoding) as rows:
        columns = columns_of(rows.header, map_ or [])
        importing.say_how_read(rows, columns, in_region, others="left out")
        with_campaigns = Field.CAMPAIGN in columns.fields
        with RejectedRows(path, rows.header, rows.delimiter, hints=with_campaigns) as rejected:

            async def use_case(desk: "Desk") -> "EntryCounts":
                async with desk.database.read() as tx:
                    scope, name = await _scope(tx, campaign)
                where = repr(name) if name else EVERY_CAMPAIGN
                say(f"  rows {'that name no campaign ' if with_campaigns else ''}hold in {where}")
                order = EntriesOrder(rows, columns, in_region, scope)
                return await importing.list_in(desk, order, rejected)

            counts = working(use_case)
        importing.show_entries(counts, rejected.path, as_json=json_)
    if counts.rejected:
        raise typer.Exit(PARTLY)


@app.command(epilog="Example: dialer dnc export stop.csv")
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.")] = Path(
        "-"
    ),
    raw: Annotated[
        bool, typer.Option("--raw", help="For programs: numbers without a leading apostrophe.")
    ] = False,
) -> None:
    """Write the whole list as CSV, the oldest entry first; dialer dnc import reads it back.

    An apostrophe keeps spreadsheets from taking a number for a formula.
    """
    from dialer import do_not_call
    from dialer.commands.session import reading
    from dialer.do_not_call_files import write_entries
    from dialer.lists.csvout import STDOUT, written

    async def use_case(tx: "Tx", _now: int) -> Sequence["Row"]:
        return await do_not_call.everything(tx)

    rows = reading(use_case)
    with written(file, raw=raw) as sheet:
        count = write_entries(rows, sheet, shown=iso, raw=raw)
    say(f"{counted(count, 'entry', 'entries')}" + (f" in {file}" if file != STDOUT else ""))


def _number(phone: str) -> str:
    from dialer.commands.session import settings_of
    from dialer.phones import e164

    return e164(phone, settings_of().default_region)


async def _scope(tx: "Tx", campaign: str | None) -> tuple["CampaignId", str | None]:
    """The scope of entries for a campaign, and its name; without one that of every campaign."""
    from dialer import campaigns, do_not_call
    from dialer.model import CampaignId

    if campaign is None:
        return do_not_call.EVERYWHERE, None
    row = await campaigns.find(tx, campaign)
    return CampaignId(row["id"]), row["name"]


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
            f"{number} has no entry for {asked}, only for {_names(entries)}",
            next_step=f"dialer dnc remove {number} --everywhere",
        )


def _confirm(question: str, word: str, *, yes: bool) -> None:
    """Have *word* typed, on a terminal; elsewhere only *yes* lets people be called again."""
    confirm_typed(question, word, yes=yes, declined="nothing was removed")


def _show_entries(rows: Sequence["Row"]) -> None:
    if not rows:
        return
    table(
        ["phone", "campaign", "since", "by", "note"],
        [
            [row["phone"], _where(row), moment(row["created_at"]), row["source"],
             one_line(row["note"])]
            for row in rows
        ],
    )  # fmt: skip


def _entry_json(row: "Row") -> dict[str, Any]:
    return {
        "phone": row["phone"],
        "campaign": row["campaign"],
        "source": row["source"],
        "note": row["note"],
        "created_at": iso(row["created_at"]),
    }


def _where(row: "Row") -> str:
    return str(row["campaign"] or EVERY_CAMPAIGN)


def _names(rows: Sequence["Row"]) -> str:
    return " and ".join(
        repr(row["campaign"]) if row["campaign"] else EVERY_CAMPAIGN for row in rows
    )


def _subject(numbers: Sequence[str], count: int) -> str:
    """The one number that was given, or so many of those that were, and what they do: be."""
    named = numbers[0] if len(numbers) == 1 else counted(count, "number")
    return f"{named} {'is' if count == 1 else 'are'}"
