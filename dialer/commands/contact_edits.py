"""`dialer contacts edit` and `tag`: what is known of people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import counted, emit, one_line, say, table
from dialer.commands.contacts_given import (
    Contacts,
    DryRun,
    Json,
    Partial,
    portions,
    resolved,
    words,
)
from dialer.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dialer.commands.session import Desk
    from dialer.people.edits import Edited
    from dialer.people.names import Named
    from dialer.ports import Tx


def edit(
    contact: Annotated[str, typer.Argument(help="Phone number or id.")],
    name: Annotated[str | None, typer.Option(help="Who it is.")] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    zone: Annotated[
        str | None, typer.Option(help="Time zone; '' goes back to that of the number.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="As in en-US; '' for none.")] = None,
    var: Annotated[
        list[str] | None,
        typer.Option("--var", help="A variable, KEY=VALUE; KEY= takes it away. Repeat for more."),
    ] = None,
    phone: Annotated[
        str | None, typer.Option(help="Another number, as long as nobody was called at this one.")
    ] = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Mend what is known of a person; where they may be decides when they are called.

    A call that is being made goes on.
    """
    from dialer.commands.session import erased_phones, reading, settings_of, writing
    from dialer.people import edits as contact_edits
    from dialer.phones import e164

    settings = settings_of()
    wanted = contact_edits.Edit(
        phone=None if phone is None else e164(phone, settings.default_region),
        name=name,
        email=email,
        zone=zone,
        language=language,
        variables=_variables(var or []),
    )
    if wanted == contact_edits.Edit():
        raise UsageError(
            "say what to change: --name, --email, --zone, --language, --var KEY=VALUE, --phone"
        )
    erased = erased_phones(settings)

    async def use_case(tx: "Tx", now: int) -> tuple[int, "Edited"]:
        (contact_id,) = (await resolved(tx, [contact], settings.default_region)).known(
            partial=False
        )
        if dry_run:
            return contact_id, await contact_edits.look(tx, contact_id, wanted, erased)
        return contact_id, await contact_edits.change(tx, contact_id, wanted, erased, now)

    contact_id, done = reading(use_case) if dry_run else writing(use_case)
    if json_:
        emit(
            {
                "id": contact_id,
                "dry_run": dry_run,
                "changed": list(done.changed),
                "before": dict(done.before),
                "after": dict(done.after),
                "place": done.place,
                "members_moved": done.members_moved,
            }
        )
        return
    _say_edited(done, dry_run=dry_run)


def tag(
    given: Contacts = None,
    add: Annotated[list[str] | None, typer.Option("--add", help="A tag to put on.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take off.")] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="The members of this campaign.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Of those, whoever is in it: failed, completed, …")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every contact there is.")] = False,
    partial: Partial = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Put labels on people and take them off; each of --add and --remove may be repeated."""
    from dialer.commands.session import working
    from dialer.people import edits as contact_edits

    tags = contact_edits.Tags(_stripped(add), _stripped(remove))
    tags.check()
    found = _tagged(words(given), campaign, state, everybody=everybody, partial=partial)

    async def use_case(desk: "Desk") -> int:
        changed = 0
        for portion in portions(found.ids):
            if dry_run:
                async with desk.database.read() as tx:
                    changed += len(await contact_edits.tags_to_change(tx, portion, tags))
                continue
            async with desk.database.write() as tx:
                changed += await contact_edits.tag(tx, portion, tags, desk.clock.now())
        return changed

    changed = working(use_case, create=False)
    same = len(found.ids) - changed
    if json_:
        emit(
            {
                "dry_run": dry_run,
                "changed": changed,
                "same": same,
                "unknown": list(found.unknown),
            }
        )
    else:
        would = " would have" if dry_run else " have"
        say(f"other tags for {counted(changed, 'contact')}{would}; {same:,} had them so")
        if found.unknown:
            say(f"{counted(len(found.unknown), 'name')} left out: nobody is known by it")
        if not dry_run and changed:
            say("next:  dialer contacts list")
    if found.unknown:
        raise typer.Exit(ExitCode.PARTLY)


def _tagged(
    names: Sequence[str],
    campaign: str | None,
    state: str | None,
    *,
    everybody: bool,
    partial: bool,
) -> "Named":
    """Who is to be tagged: by name, a campaign's members, or everybody."""
    from dialer import campaigns
    from dialer.commands.parsing import choice
    from dialer.commands.session import reading, settings_of
    from dialer.people import edits as contact_edits
    from dialer.people.names import Named
    from dialer.states import MemberState

    if sum((bool(names), campaign is not None, everybody)) != 1:
        raise UsageError("say which contacts, in one way: CONTACT…, --campaign NAME or --all")
    if state is not None and campaign is None:
        raise UsageError("a contact has a state in a campaign: add --campaign NAME")
    in_state = "" if state is None else choice("state", state, MemberState).value
    region = settings_of().default_region

    async def use_case(tx: "Tx", _now: int) -> Named:
        if names:
            found = await resolved(tx, names, region)
            found.known(partial=partial)
            return found
        campaign_id = None if campaign is None else (await campaigns.find(tx, campaign))["id"]
        return Named(await contact_edits.ids_of(tx, campaign_id, in_state), ())

    return reading(use_case)


def _variables(texts: Sequence[str]) -> dict[str, str]:
    """Of ``KEY=VALUE`` each."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"variable {text!r}: write KEY=VALUE, or KEY= to take it away")
        found[name.strip()] = value.strip()
    return found


def _stripped(tags: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag.strip() for tag in tags or ()))


def _say_edited(done: "Edited", *, dry_run: bool) -> None:
    if not done.changed:
        say(f"{done.before['phone']} is known so already; nothing was changed")
        return
    lines = [(name, _shown(done.before[name]), _shown(done.after[name])) for name in done.changed]
    table(["field", "before", "after"], lines, folds=True)
    if dry_run:
        say("nothing was changed")
        return
    if done.members_moved:
        moved = counted(done.members_moved, "membership")
        say(f"{moved} moved to where the callee may be: {done.place}")
    say(f"next:  dialer explain {done.after['phone']}")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={one_line(str(text))}" for name, text in value.items())
    return "" if value is None else one_line(str(value))
