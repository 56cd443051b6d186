"""`dialer erase`: a person who asks to be forgotten."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.console import confirm_typed, emit, iso, moment, say, table
from dialer.errors import ExitCode

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from dialer.commands.session import Desk
    from dialer.erased import PhoneKey
    from dialer.erasure import Erased, Found, Wiped
    from dialer.ports import Tx
    from dialer.settings import Settings

_COUNTED = ("contacts", "members", "attempts", "dnc_entries", "dnc_history")


def erase(
    phone: Annotated[str, typer.Argument(help="The number, as in +12025550123.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Change nothing; say what would go.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Erase a person: nothing of the number stays readable, and it is never called again.

    Calls stay counted under a pseudonym. Exit 5 while the number is being called; 7 when the
    database's files could not be wiped yet. Other files that hold the number are named.

    Example: dialer erase +12025550123 --dry-run
    """
    from dialer import erasure
    from dialer.commands.session import reading, settings_of, working
    from dialer.phones import e164
    from dialer.store.phone_key import phone_key

    settings = settings_of()
    number = e164(phone, settings.default_region)
    secret, file = settings.privacy_key.get_secret_value(), settings.privacy_key_file

    async def look(tx: "Tx", _now: int) -> "Found":
        key = None
        if await tx.value("any_erased") is not None:
            key = phone_key(settings.database, secret, file)
        return await erasure.look(tx, number, key)

    found = reading(look)
    if dry_run:
        _show_found(number, found, as_json=json_)
        return
    _say_found(number, found)
    confirm_typed(
        f"Erase {number}? Nobody can bring it back.", number, yes=yes, declined="nothing was erased"
    )
    key = _key(settings, secret, file, known=found.erased_at is not None)

    async def use_case(desk: "Desk") -> "Erased":
        # Before the number goes out of the names of files as well.
        files = await erasure.files_written(desk.database)
        wipe = _wipe_of(settings, files)
        return await erasure.erase(desk.database, desk.clock, number, key, wipe)

    done = working(use_case, create=False)
    _show_done(number, done, as_json=json_)
    if not done.complete:
        raise typer.Exit(ExitCode.PARTLY)


def _key(settings: "Settings", secret: str, file: str, *, known: bool) -> "PhoneKey":
    """The key, made with the first erasure; later ones need the one that was made."""
    from dialer.store.phone_key import phone_key

    return phone_key(settings.database, secret, file, make=not known)


def _wipe_of(settings: "Settings", files: "Sequence[Path]") -> Any:
    from dialer.store.wiping import wipe_file, wipe_server

    database, backups = Path(settings.database), settings.backup_dir
    folders = [database.resolve().parent / backups] if backups else []

    async def wipe(pattern: "re.Pattern[bytes]") -> "Wiped":
        if settings.is_postgres:
            return await wipe_server(settings.database, pattern, files=files)
        return wipe_file(
            database,
            pattern,
            busy_timeout_s=settings.busy_timeout_s,
            folders=folders,
            files=files,
        )

    return wipe


def _show_found(number: str, found: "Found", *, as_json: bool) -> None:
    if as_json:
        emit({"phone": number, "dry_run": True, **_facts(found)})
        return
    table(["what", "count"], [(name.replace("_", " "), getattr(found, name)) for name in _COUNTED])
    _say_found(number, found)
    say("nothing was changed")


def _say_found(number: str, found: "Found") -> None:
    if found.erased_at is not None:
        say(f"{number} was erased on {moment(found.erased_at)}; it is looked for again")
    if found.members_waiting:
        say(f"{found.members_waiting} of its memberships wait for a call and will get none")
    if found.own_number:
        say(f"{number} is one of your caller ids: as such it stays")


def _show_done(number: str, done: "Erased", *, as_json: bool) -> None:
    wiped = done.wiped
    if as_json:
        emit(
            {
                "phone": number,
                "dry_run": False,
                "pseudonym": done.pseudonym,
                **_facts(done.found),
                "mentions": done.mentions,
                "wiped": done.complete,
                "kept": [{"kind": k.kind, "id": k.id, "column": k.column} for k in done.kept],
                "remains": list(done.traces),
                "elsewhere": list(wiped.elsewhere),
            }
        )
    else:
        say(f"{number} is erased; its calls are counted under {done.pseudonym}")
        if done.mentions:
            say(f"it was taken out of {done.mentions} other texts")
    for file in wiped.elsewhere:
        say(f"still holds it: {file}")
    if wiped.elsewhere:
        say("these files are yours to delete; backups and lists elsewhere are not looked at")
    if not wiped.compacted:
        say("the database is too large to be written anew beside a running daemon")
        say(f"next:  stop the daemon, then: dialer erase {number}")
    elif done.traces:
        say(f"traces are left in {', '.join(done.traces)}")
        say(f"next:  dialer erase {number}")
    for each in done.kept:
        say(f"{each} holds it; {'rename' if each.column == 'name' else 'change'} it")
    if done.kept:
        say("next:  see 'What holds it by name' in docs/how-to/privacy.md")
    elif done.found.own_number:
        say("what remains is the caller id")


def _facts(found: "Found") -> dict[str, Any]:
    counts = {name: getattr(found, name) for name in _COUNTED}
    return {
        **counts,
        "members_waiting": found.members_waiting,
        "erased_at": iso(found.erased_at),
        "own_number": found.own_number,
    }
