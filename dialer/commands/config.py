"""`dialer config`: the settings of this deployment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import presentation
from dialer.commands.console import counted, emit, one_line, say, table
from dialer.errors import ExitCode

if TYPE_CHECKING:
    from dialer.config_faults import Fault
    from dialer.configuring import Change
    from dialer.ports import Tx

app = typer.Typer(help="Settings: look at, change, check them.", no_args_is_help=True)


Name = Annotated[str, typer.Argument(help="A setting: port, or DIALER_PORT.")]
File = Annotated[
    Path | None, typer.Option("--file", help="TOML file; else the one in force, or dialer.toml.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Change nothing; print the line that would change.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: dialer config show --origin --where origin!=default")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Tell where each comes from.")] = False,
    json_: Json = False,
) -> None:
    """Every setting and its value; a secret only says whether it is set."""
    from dialer import configuring
    from dialer.commands.session import settings_of

    found = configuring.listed(settings_of())
    if json_:
        emit([_json(each) for each in found])
        return
    columns = ["setting", "value", *(["origin"] if origin else [])]
    rows = [[each.name, one_line(_text(each.value)), each.origin] for each in found]
    table(columns, [row[: len(columns)] for row in rows])


@app.command(epilog="Example: dialer config get public_url")
def get(name: Name, json_: Json = False) -> None:
    """One setting's value."""
    from dialer import configuring
    from dialer.commands.session import settings_of

    wanted = configuring.known(name)
    (found,) = [each for each in configuring.listed(settings_of()) if each.name == wanted]
    if json_:
        emit(_json(found))
    else:
        typer.echo(_text(found.value))


@app.command("set", epilog="Example: dialer config set calls_per_second 5")
def set_(
    name: Name,
    value: Annotated[str, typer.Argument(help="As its variable would have it; '' empties it.")],
    file: File = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Write a setting into the file; its comments and other lines stay as they are.

    Secrets are refused: they belong into a variable, or a credential's file.
    """
    from dialer import configuring

    setting = configuring.known(name)
    target = configuring.file_in_force(presentation.current().config, file)
    change = configuring.assigned(target, setting, value)
    _change(change, dry_run=dry_run, as_json=json_)


@app.command(epilog="Example: dialer config unset calls_per_second")
def unset(
    name: Annotated[str, typer.Argument(help="A key of the file, be it a setting or not.")],
    file: File = None,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Take a key out of the file, so that another place or the default decides."""
    from dialer import configuring

    target = configuring.file_in_force(presentation.current().config, file)
    change = configuring.removed(target, name)
    _change(change, dry_run=dry_run, as_json=json_)


@app.command(epilog="Example: dialer config validate deploy/dialer.toml.example")
def validate(
    file: Annotated[
        Path | None, typer.Argument(help="A TOML file; else every place that has a say.")
    ] = None,
    json_: Json = False,
) -> None:
    """Find everything that is wrong with the settings; exit 2 when something is."""
    from dialer import config_faults

    if file is None:
        found = config_faults.everywhere(presentation.current().config)
    else:
        found = config_faults.in_file(file)
    if json_:
        emit({"ok": not found, "faults": [_fault_json(each) for each in found]})
    else:
        for fault in found:
            typer.echo(told(fault))
    if found:
        say(counted(len(found), "fault"))
        raise typer.Exit(ExitCode.MISUSED)
    say("every setting can be used")


@app.command(epilog="Example: dialer config schema > dialer.schema.json")
def schema(json_: Json = True) -> None:  # noqa: ARG001  it is never anything else
    """The JSON Schema of dialer.toml, for editors."""
    from dialer import configuring

    emit(configuring.schema())


@app.command(epilog="Example: dialer config path --json")
def path(json_: Json = False) -> None:
    """The files that are looked at, the one that decides first."""
    from dialer import configuring

    found = configuring.places(presentation.current().config)
    if json_:
        emit([{"what": each.what, "path": each.path, "exists": each.exists} for each in found])
        return
    table(
        ["what", "path", "there"],
        [[each.what, each.path, "yes" if each.exists else "no"] for each in found],
    )


def told(fault: "Fault") -> str:
    """A fault in a line: where, which key, its value, why, and what may have been meant."""
    from dialer.suggestions import did_you_mean

    where = f"{fault.place}: {fault.key}" if fault.key else fault.place
    value = f" = {one_line(fault.value)}" if fault.value is not None else ""
    return f"{where}{value}: {fault.why}{did_you_mean([fault.meant] if fault.meant else [])}"


def _change(change: "Change", *, dry_run: bool, as_json: bool) -> None:
    """Show a change, or make it, write it down and say what it does not do."""
    if not dry_run:
        change.make()
        _record(change)
    before, value = _facts(change)
    if as_json:
        emit(
            {
                "file": str(change.file),
                "setting": change.name,
                "before": before,
                "value": value,
                "dry_run": dry_run,
            }
        )
    elif dry_run:
        _print_lines(change)
    for fault in change.others:
        say(f"note: {told(fault)}")
    if dry_run:
        say(f"nothing was changed in {change.file}")
        return
    said = f"is {_text(change.value)!r}" if change.value is not None else "is not set any more"
    say(f"{change.name} {said} in {change.file}")
    _say_who_decides(change)
    say("next:  a daemon reads it when it is reloaded (SIGHUP) or started anew: dialer run")


def _say_who_decides(change: "Change") -> None:
    """Tell where another place overrides the file: a change without effect is a trap."""
    from dialer.commands.session import settings_of
    from dialer.errors import DialerError

    try:
        origin = settings_of().origins().get(change.name)
    except DialerError as error:
        say(f"note: the settings cannot be used as they are: {error.message}")
        return
    overridden = change.value is not None and origin != str(change.file)
    if overridden or (change.value is None and origin not in (None, "default")):
        say(f"note: {origin} decides about {change.name}, not this file")


def _record(change: "Change") -> None:
    """Write down what was changed, where there is a database already."""
    from dialer import audit_log
    from dialer.commands.session import Desk, working
    from dialer.errors import DialerError, NotFoundError

    before, value = _facts(change)

    async def record(tx: "Tx", now: int) -> None:
        await audit_log.record(
            tx, "config.set" if change.value is not None else "config.unset", change.name, now,
            before={"value": before}, after={"value": value},
        )  # fmt: skip

    async def use_case(desk: Desk) -> None:
        async with desk.database.write() as tx:
            await record(tx, desk.clock.now())

    try:
        working(use_case, create=False)
    except NotFoundError:  # nothing is dialed from here yet
        return
    except DialerError as error:  # the file is changed, whatever is wrong with the database
        say(f"the audit log has no entry of it: {error.message}")


def _facts(change: "Change") -> tuple[Any, Any]:
    """The values before and after, without what is secret in them."""
    from dialer.configuring import masked

    before, after = (
        None if value is None else masked(change.name, value)
        for value in (change.before, change.value)
    )
    return before, after


def _print_lines(change: "Change") -> None:
    """The line as it is and as it would be."""
    from dialer.config_file import as_toml

    for sign, value in zip("-+", _facts(change), strict=True):
        if value is not None:
            typer.echo(f"{sign} {change.name} = {as_toml(value)}")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(setting: Any) -> dict[str, Any]:
    return {
        "name": setting.name,
        "value": setting.value,
        "origin": setting.origin,
        "secret": setting.secret,
    }


def _fault_json(fault: "Fault") -> dict[str, Any]:
    return {
        "place": fault.place,
        "key": fault.key or None,
        "value": fault.value,
        "why": fault.why,
        "meant": fault.meant or None,
    }
