"""`dialer campaign edit|clone|show|archive|restore|delete|export-config|settings`."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import asks, confirm_typed, counted, emit, iso, say, spoken, table

if TYPE_CHECKING:
    from dialer.campaign_edits import Edit
    from dialer.ports import Row, Tx

settings = typer.Typer(help="Look at and change a campaign's settings.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Campaign name or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Preview = Annotated[
    bool,
    typer.Option("--preview", "--dry-run", "-n", help="Change nothing; say what would change."),
]


def show(name: Name, json_: Json = False) -> None:
    """Every setting of a campaign, and what hangs on it."""
    from dialer import campaign_edits
    from dialer.commands.session import reading

    async def use_case(tx: "Tx", _: int) -> tuple["Row", campaign_edits.Traces, dict[str, str]]:
        row, traces = await campaign_edits.traces(tx, name)
        return row, traces, await _described(tx, await campaign_edits.settings_of(tx, row))

    row, traces, texts = reading(use_case)
    facts = {
        "id": row["id"],
        "status": row["status"],
        "members": traces.members,
        "attempts": traces.attempts,
        "created_at": iso(row["created_at"]),
        "started_at": iso(row["started_at"]),
        "ended_at": iso(row["ended_at"]),
        "archived_at": iso(row["archived_at"]),
    }
    if json_:
        emit({**facts, "settings": texts})
        return
    table(["what", "value"], [[key, spoken(value)] for key, value in {**facts, **texts}.items()])


def edit(
    name: Name,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="SETTING=VALUE; repeat for more.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="TOML file with settings to take over.")
    ] = None,
    preview: Preview = False,
    json_: Json = False,
) -> None:
    """Change a campaign; without flags its settings open in your editor ($VISUAL, $EDITOR).

    What is changed while it runs goes for the next call on. What can be set: dialer campaign
    settings get NAME.
    """
    from dialer.commands import campaign_file
    from dialer.errors import UsageError

    texts = campaign_file.read(file) if file else {}
    texts |= _assignments(set_ or [])
    if not texts:
        if not asks():
            raise UsageError(
                "there is nothing to change: no --set and no --file",
                next_step=f"dialer campaign edit {name!r} --set call_interval=5s",
            )
        texts = _from_editor(name)
    _change(name, texts, preview=preview, as_json=json_)


def clone(
    name: Name,
    new_name: Annotated[
        str | None, typer.Argument(help="Its name; else NAME (2).", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Take over members in this state, as failed; repeat for more."),
    ] = None,
    contacts: Annotated[bool, typer.Option("--contacts", help="Take over all members.")] = False,
    json_: Json = False,
) -> None:
    """Make a draft with the settings of a campaign; without --only or --contacts it has nobody.

    Left out is whoever was skipped, is on the campaign's do-not-call list or on that for all, or
    failed since the number is none, a fax machine answered or the pre-dial check refused it.
    """
    from dialer import campaign_edits
    from dialer.commands.parsing import choice
    from dialer.commands.session import writing
    from dialer.states import MemberState

    states = [choice("only", each, MemberState) for each in only or []]
    wanted = list(MemberState) if contacts else states

    made = writing(lambda tx, now: campaign_edits.clone(tx, name, new_name, wanted, now))
    row, members = made.campaign, made.members
    if json_:
        facts = {key: row[key] for key in ("id", "name", "status")}
        emit({**facts, "members": members, "left_out": dict(made.left_out)})
        return
    say(f"campaign {row['name']!r} is made (id {row['id']}), as a draft of {members:,} contacts")
    for why, count in made.left_out.items():
        say(f"{counted(count, 'member')} left out: {why}")
    say(
        f"next:  dialer campaign check {row['name']!r}"
        if members
        else f"next:  dialer contacts import FILE.csv --campaign {row['name']!r}"
    )


def archive(name: Name, json_: Json = False) -> None:
    """Take a campaign that is over, or was never started, out of the lists; nothing is lost."""
    from dialer import campaign_edits

    row = _changed_row(lambda tx, now: campaign_edits.archive(tx, name, now), as_json=json_)
    say(f"campaign {row['name']!r} is archived")
    say("next:  dialer campaign list --archived")


def restore(name: Name, json_: Json = False) -> None:
    """Put an archived campaign back into the lists."""
    from dialer import campaign_edits

    row = _changed_row(lambda tx, now: campaign_edits.restore(tx, name, now), as_json=json_)
    say(f"campaign {row['name']!r} is in the lists")


def delete(
    name: Name,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="NAME", help="Its name once more: no question."),
    ] = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Delete a campaign that never called anybody; its contacts stay. Others can be archived."""
    from dataclasses import asdict

    from dialer import campaign_edits
    from dialer.commands.session import reading, writing

    row, found = reading(lambda tx, _: campaign_edits.traces(tx, name))
    confirm_typed(
        f"Delete campaign {row['name']!r} with {found.members:,} memberships?",
        row["name"],
        yes=yes,
        confirmed=confirm,
        declined="nothing was deleted",
    )
    gone = writing(lambda tx, now: campaign_edits.delete(tx, row["name"], now))
    if json_:
        emit({"id": row["id"], "name": row["name"], **asdict(gone)})
        return
    say(f"campaign {row['name']!r} is deleted; its {gone.members:,} contacts are still there")
    for import_id in gone.imports:
        say(f"import {import_id} into it was cut short and cannot go on; see dialer imports list")


def export_config(
    name: Name,
    path: Annotated[Path | None, typer.Argument(help="File to write; else stdout.")] = None,
) -> None:
    """Write a campaign's settings as TOML, for: dialer campaign create NEW -f FILE."""
    from dialer import campaigns
    from dialer.commands import campaign_file
    from dialer.commands.session import reading
    from dialer.errors import UsageError

    async def use_case(tx: "Tx", _: int) -> dict[str, str]:
        return await _texts_of(tx, await campaigns.find(tx, name))

    text = campaign_file.to_toml(reading(use_case))
    if path is None:
        typer.echo(text)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    say(f"written to {path}")


# -- settings -------------------------------------------------------------------------------------


@settings.command(epilog="Example: dialer campaign settings get Renewals call_interval")
def get(
    name: Name,
    setting: Annotated[str | None, typer.Argument(help="One of them; else all.")] = None,
    json_: Json = False,
) -> None:
    """What is set."""
    from dialer import campaigns
    from dialer.commands.campaign_settings import LOOKED_UP, SETTINGS, setting_name
    from dialer.commands.session import reading

    wanted = setting_name(setting) if setting else None

    async def use_case(tx: "Tx", _: int) -> dict[str, str]:
        return await _texts_of(tx, await campaigns.find(tx, name))

    texts = reading(use_case)
    if wanted:
        texts = {wanted: texts.get(wanted, "")}
    if json_:
        emit(texts)
    elif wanted:
        typer.echo(texts[wanted])
    else:
        abouts = {key: SETTINGS[key].about if key in SETTINGS else LOOKED_UP[key] for key in texts}
        rows = [[key, text, abouts[key]] for key, text in texts.items()]
        table(["setting", "value", "meaning"], rows, folds=True)


@settings.command("set", epilog="Example: dialer campaign settings set Renewals call_interval=5s")
def set_settings(
    name: Name,
    assignments: Annotated[list[str], typer.Argument(help="SETTING=VALUE, one or more.")],
    preview: Preview = False,
    json_: Json = False,
) -> None:
    """Set one or more; a running campaign goes by them from the next call on."""
    _change(name, _assignments(assignments), preview=preview, as_json=json_)


@settings.command(epilog="Example: dialer campaign settings reset Renewals call_interval")
def reset(
    name: Name,
    names: Annotated[list[str], typer.Argument(help="Settings to take back to their defaults.")],
    preview: Preview = False,
    json_: Json = False,
) -> None:
    """Take settings back to their defaults."""
    from dialer.commands.campaign_settings import SETTINGS, setting_name
    from dialer.errors import UsageError

    defaults = _defaults()
    wanted = [setting_name(each) for each in names]
    for each in wanted:
        if each not in SETTINGS or each == "name":
            raise UsageError(f"{each} has no default; set it: dialer campaign settings set")
    _change(name, {each: defaults[each] for each in wanted}, preview=preview, as_json=json_)


@settings.command(epilog="Example: dialer campaign settings diff Renewals --against Survey")
def diff(
    name: Name,
    against: Annotated[
        str | None, typer.Option(help="Another campaign; else the defaults.")
    ] = None,
    json_: Json = False,
) -> None:
    """What is set otherwise than by default, or than for another campaign."""
    from dialer import campaigns
    from dialer.commands.session import reading

    async def use_case(tx: "Tx", _: int) -> tuple[dict[str, str], dict[str, str]]:
        own = await _texts_of(tx, await campaigns.find(tx, name))
        if against is None:
            return own, _defaults()
        return own, await _texts_of(tx, await campaigns.find(tx, against))

    own, other = reading(use_case)
    found = {
        key: {"value": own[key], "other": other[key]}
        for key in own
        if key in other and key != "name" and own[key] != other[key]
    }
    if json_:
        emit(found)
        return
    table(
        ["setting", "value", against or "default"],
        [[key, each["value"], each["other"]] for key, each in found.items()],
        folds=True,
    )
    if not found:
        say("nothing is set otherwise")


# -- what they share ------------------------------------------------------------------------------


def _change(name: str, texts: Mapping[str, str], *, preview: bool, as_json: bool) -> None:
    from dialer import campaign_edits
    from dialer.commands.campaign_lookups import looked_up
    from dialer.commands.campaign_settings import read_fields
    from dialer.commands.session import reading, writing

    fields = read_fields(texts)

    async def plan(tx: "Tx", now: int) -> tuple["Edit", list[list[str]]]:
        changes = fields | await looked_up(tx, texts, name, now, preview=True)
        planned = await campaign_edits.plan_edit(tx, name, changes)
        return planned, await _differences(tx, planned, texts)

    async def make(tx: "Tx", now: int) -> tuple["Edit", list[list[str]]]:
        changes = fields | await looked_up(tx, texts, name, now)
        made = await campaign_edits.edit(tx, name, changes, now)
        return made, await _differences(tx, made, texts)

    done, rows = (reading if preview else writing)(plan if preview else make)
    if as_json:
        changed = {key: {"before": before, "after": after} for key, before, after in rows}
        emit({"id": done.campaign["id"], "preview": preview, "changed": changed})
        return
    table(["setting", "before", "after"], rows)
    if not rows:
        say("nothing changes: all of it is set so already")
    elif preview:
        say("nothing was changed; without --preview it is")
    elif done.campaign["status"] == "active":
        say(f"campaign {done.after.name!r} goes by it from the next call on")
    else:
        say(f"campaign {done.after.name!r} is changed")


def _changed_row(use_case: "Callable[[Tx, int], Awaitable[Row]]", *, as_json: bool) -> "Row":
    from dialer.commands.session import writing

    row = writing(use_case)
    if as_json:
        archived_at = iso(row["archived_at"])
        emit({"id": row["id"], "name": row["name"], "archived_at": archived_at})
    return row


def _assignments(given: Sequence[str]) -> dict[str, str]:
    from dialer.commands.campaign_settings import assignment
    from dialer.errors import UsageError

    texts: dict[str, str] = {}
    for text in given:
        name, value = assignment(text, example="call_interval=5s")
        if name in texts:
            raise UsageError(f"{name} is given twice")
        texts[name] = value
    return texts


def _defaults() -> dict[str, str]:
    from dialer.campaigns import NewCampaign
    from dialer.commands.campaign_settings import shown

    return shown(NewCampaign("", 0, ()))


async def _texts_of(tx: "Tx", row: "Row") -> dict[str, str]:
    from dialer import campaign_edits

    return await _described(tx, await campaign_edits.settings_of(tx, row))


async def _described(tx: "Tx", settings_: Any) -> dict[str, str]:
    from dialer.commands.campaign_lookups import looked_back
    from dialer.commands.campaign_settings import shown

    texts = shown(settings_)
    return {"name": texts["name"], **await looked_back(tx, settings_), **texts}


async def _differences(tx: "Tx", edit: "Edit", texts: Mapping[str, str]) -> list[list[str]]:
    before, after = await _described(tx, edit.before), await _described(tx, edit.after)
    rows = [[key, before[key], after[key]] for key in before if before[key] != after[key]]
    if "say" in texts and not any(key == "agent" for key, *_ in rows):  # as in a preview
        rows.append(["agent", before["agent"], f"one that says {texts['say']!r}"])
    return rows


def _from_editor(name: str) -> dict[str, str]:
    """The settings an operator has changed in their editor."""
    from dialer import campaigns
    from dialer.commands import campaign_file
    from dialer.commands.session import reading
    from dialer.errors import UsageError

    async def use_case(tx: "Tx", _: int) -> dict[str, str]:
        return await _texts_of(tx, await campaigns.find(tx, name))

    before = reading(use_case)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "campaign.toml"
        path.write_text(campaign_file.to_toml(before), encoding="utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)  # noqa: S603  theirs
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(
                f"the editor {editor!r} failed ({error}); nothing was changed",
                next_step="export EDITOR=nano",
            ) from None
        after = campaign_file.read(path)
    sys.stdout.flush()
    return {key: text for key, text in after.items() if before.get(key) != text}
