"""`dialer contacts`: the people to call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import (
    contact_edits,
    contact_history,
    contacts_import,
    exporting,
    imports,
    member_edits,
)
from dialer.commands.calls import call_json
from dialer.commands.console import emit, iso, moment, rows_wanted, say, say_more, spoken, table

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.people.contacts import Dossier
    from dialer.ports import Row

app = typer.Typer(help="The people to call.", no_args_is_help=True)

Campaign = Annotated[str | None, typer.Option("--campaign", "-c", help="Campaign name or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Region = Annotated[
    str | None, typer.Option(help="Country of numbers without one; else DIALER_DEFAULT_REGION.")
]

_CONTACT = ("id", "phone", "name", "email", "zone", "language")


app.command("import", epilog=contacts_import.EXAMPLE)(contacts_import.import_)
app.command("undo-import", epilog=imports.UNDO_EXAMPLE)(imports.undo)


@app.command(epilog="Example: dialer contacts add +12025550123 --name 'Ann Lee' -c Renewals")
def add(
    phone: Annotated[str, typer.Argument(help="The number, as in +12025550123.")],
    name: Annotated[str, typer.Option(help="Who it is.")] = "",
    campaign: Campaign = None,
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    zone: Annotated[str | None, typer.Option(help="Time zone, as in Europe/Berlin.")] = None,
    language: Annotated[str | None, typer.Option(help="As in en-US.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A label; repeat for more.")] = None,
    priority: Annotated[str, typer.Option(help="In the campaign: high, normal, low.")] = "normal",
    region: Region = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Add one person, or tell more of one who is known, and make them a campaign's member."""
    from dialer.commands import importing
    from dialer.commands.parsing import choice
    from dialer.commands.session import erased_phones, settings_of, working
    from dialer.people import contacts
    from dialer.people.person import Person, Priority
    from dialer.phones import check_region, e164

    number = e164(phone, check_region(region or settings_of().default_region))
    rank = choice("priority", priority, Priority)
    person = contacts.checked(
        Person(number, name, email, zone, language, tags=tuple(dict.fromkeys(tag or [])))
    )

    async def use_case(desk: "Desk") -> tuple[bool, int]:
        enrolment = None
        if campaign is not None:
            enrolment = importing.enrolment(await importing.joined(desk, campaign), rank, yes=yes)
        async with desk.database.write() as tx:
            await erased_phones(desk.settings).refuse(tx, [number])
            changes, members = await contacts.add(tx, person, enrolment, desk.clock.now())
        return bool(changes.added), members

    added, members = working(use_case, whole=True)
    if json_:
        emit({"phone": number, "added": added, "members_added": members})
        return
    say(f"{number} is {'added' if added else 'known already'}")
    if campaign is not None:
        say(f"{number} {'is now' if members else 'was already'} in campaign {campaign!r}")


@app.command("list", epilog="Example: dialer contacts list -c Renewals --state retry --json")
def list_(
    campaign: Campaign = None,
    state: Annotated[
        str | None, typer.Option(help="In the campaign: pending, retry, completed, …")
    ] = None,
    json_: Json = False,
) -> None:
    """Contacts, oldest first; with a campaign its members and where they stand."""
    from dialer.commands.parsing import choice
    from dialer.commands.session import reading
    from dialer.people import contacts
    from dialer.ports import Row, Tx
    from dialer.states import MemberState

    in_state = None if state is None else choice("state", state, MemberState)

    async def use_case(tx: Tx, _now: int) -> Sequence[Row]:
        return await contacts.listed(tx, campaign, in_state, rows_wanted(as_json=json_))

    rows = reading(use_case)
    if json_:
        emit([_contact_json(row) | (_membership(row) if campaign else {}) for row in rows])
        return
    columns = ["id", "phone", "name", "zone"]
    columns += ["state", "attempts", "last_outcome", "reason"] if campaign else ["language"]
    table(
        [column.replace("_", " ") for column in columns],
        [[row[column] for column in columns] for row in rows],
        spare=("reason", "language", "zone", "attempts", "id"),
    )
    say_more(len(rows))


@app.command(epilog="Example: dialer contacts show +12025550123 --json")
def show(
    phone_or_id: Annotated[str, typer.Argument(help="Phone number or id.")],
    json_: Json = False,
) -> None:
    """One contact, the campaigns it is in, and every attempt to reach it."""
    from dialer.commands.session import reading, settings_of
    from dialer.people import contacts
    from dialer.ports import Tx

    region = settings_of().default_region

    async def use_case(tx: Tx, _now: int) -> "Dossier":
        return await contacts.dossier(tx, phone_or_id, region)

    dossier = reading(use_case)
    if json_:
        emit(_dossier_json(dossier))
        return
    facts = _contact_json(dossier.contact)
    told = {**facts, "tags": ", ".join(facts["tags"]), **_variables(dossier.contact)}
    table(["what", "value"], [[name, spoken(value)] for name, value in told.items()])
    for row in dossier.memberships:
        why = f" ({row['reason']})" if row["reason"] else ""
        typer.echo(f"in {row['campaign']}: {row['state']}{why}, {row['attempts']} attempts")
    for row in dossier.attempts:
        outcome = row["outcome"] or row["state"]
        typer.echo(f"{moment(row['intent_at'])}  {row['campaign']} from {row['from_']}: {outcome}")
    say(f"next:  dialer contacts history {dossier.contact['phone']}")


app.command("export", epilog=exporting.CONTACTS_EXAMPLE)(exporting.export_contacts)
app.command("edit", epilog="Example: dialer contacts edit +12025550123 --zone ''")(
    contact_edits.edit
)
app.command("tag", epilog="Example: dialer contacts tag @vip.txt --add vip --remove new")(
    contact_edits.tag
)
app.command("priority", epilog="Example: dialer contacts priority +12025550123 high -c Renewals")(
    member_edits.priority
)
app.command("retry", epilog="Example: dialer contacts retry --all-failed -c Renewals --dry-run")(
    member_edits.retry
)
app.command("skip", epilog="Example: dialer contacts skip +12025550123 -c Renewals --reason moved")(
    member_edits.skip
)
app.command("remove", epilog="Example: dialer contacts remove +12025550123 -c Renewals")(
    member_edits.remove
)
app.command("history", epilog="Example: dialer contacts history +12025550123 --json")(
    contact_history.history
)


def _contact_json(row: "Row") -> dict[str, Any]:
    import json

    facts = {name: row[name] for name in _CONTACT}
    return facts | {"tags": json.loads(row["tags"]), "created_at": iso(row["created_at"])}


def _variables(row: "Row") -> dict[str, str]:
    import json

    return {f"{{{{{name}}}}}": value for name, value in json.loads(row["variables"]).items()}


def _membership(row: "Row") -> dict[str, Any]:
    from dialer.people.person import Priority

    return {
        "state": row["state"],
        "priority": list(Priority)[row["priority"]],
        "attempts": row["attempts"],
        "next_at": iso(row["next_at"]),
        "last_outcome": row["last_outcome"],
        "reason": row["reason"],
    }


def _dossier_json(dossier: "Dossier") -> dict[str, Any]:
    import json

    row = dossier.contact
    return {
        **_contact_json(row),
        "variables": json.loads(row["variables"]),
        "memberships": [
            {"id": each["id"], "campaign": each["campaign"], **_membership(each)}
            for each in dossier.memberships
        ],
        "attempts": [call_json(each) for each in dossier.attempts],
    }
