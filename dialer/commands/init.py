"""`dialer init`: a folder set up for a deployment, or for a trial that rings nobody."""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dialer.commands.console import asks, emit, say
from dialer.errors import UsageError

if TYPE_CHECKING:
    from dialer.doctor.findings import Finding
    from dialer.first_steps import Answers

EXAMPLES: Final = (
    "Examples: dialer init · dialer init --demo · dialer init --no-input --region DE"
    " --zone Europe/Berlin --hours 'mon-fri 09:00-18:00'"
)
#: What the schedule of the hours asked for is called.
SCHEDULE: Final = "Office"
HOURS: Final = "mon-fri 09:00-18:00"
DEMO_FOLDER: Final = "dialer-demo"


def init(
    demo: Annotated[
        bool, typer.Option("--demo", help="For the carrier simulator; no account needed.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Folder; else this one, or dialer-demo.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Country of numbers written without one: DE.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone: Europe/Berlin.")] = None,
    account_sid: Annotated[str | None, typer.Option(help="The carrier's account, AC….")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with its auth token; - reads it from stdin.")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="How the carrier reaches this machine: https://….")
    ] = None,
    hours: Annotated[
        str | None, typer.Option(help=f"When people may be called, as in '{HOURS}'.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there; they are kept as .bak.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write settings, make the database, check what can be checked; asks on a terminal.

    No secret gets into dialer.toml: the auth token goes to .env, for its owner alone.
    """
    from dialer import first_steps

    target = folder or Path(DEMO_FOLDER if demo else ".")
    if demo:
        files = first_steps.demo_files(zone or first_steps.guessed_zone(os.environ))
        hours = None
    else:
        given = {
            "region": region,
            "zone": zone,
            "account_sid": account_sid,
            "public_url": public_url,
        }
        answers, hours = _answers(given, token_file, hours)
        files = first_steps.files_of(answers)
    kept = first_steps.write(target, files, force=force)
    found = _begin(target, hours, offline=demo)
    steps = first_steps.demo_steps(target) if demo else _next(answers, target)
    if json_:
        _emit(target, files, kept, found, steps)
        return
    for file in kept:
        say(f"kept {file}")
    for name in files:
        say(f"wrote {target / name}, for its owner alone")
    if ".env" in files:
        say("the auth token is in .env and nowhere else; keep that file out of version control")
    _show(found, steps, demo=demo)


def _answers(
    given: Mapping[str, str | None], token_file: Path | None, hours: str | None
) -> "tuple[Answers, str | None]":
    """From flags, and from somebody at the terminal about what they leave open.

    Raises UsageError for the first flag that cannot be used, before anything is asked.
    """
    from dialer.commands.asking import ask
    from dialer.first_steps import Answers

    token = None if token_file is None else _token(token_file)
    known = {name: value or "" for name, value in given.items()}
    answers = Answers(token=token or "", **known)
    if not asks():
        _require(given, token)
    answers.check()
    if why := _hours_trouble(hours or ""):
        raise UsageError(why)
    if not asks():
        return answers, hours
    answers = _asked(given, token)
    if hours is None:
        hours = ask("When may people be called", HOURS, trouble=_hours_trouble)
    return answers, hours


def _require(given: Mapping[str, str | None], token: str | None) -> None:
    """Without a terminal nothing is guessed: a wrong zone calls people at night."""
    wanted = ["region", "zone"]
    account = {**given, "token_file": token}
    of_account = ("account_sid", "token_file", "public_url")
    if any(account[name] for name in of_account):
        wanted += of_account
    missing = [f"--{name.replace('_', '-')}" for name in wanted if not account[name]]
    if missing:
        raise UsageError(
            f"nobody can be asked here; give {', '.join(missing)}",
            next_step="dialer init --help, or for a trial: dialer init --demo",
        )


def _asked(given: Mapping[str, str | None], token: str | None) -> "Answers":
    from functools import partial

    from dialer import first_steps
    from dialer.commands import asking

    def ask(name: str, question: str, default: Callable[[], str] = str) -> str:
        value = given[name]
        if value is not None:
            return value
        trouble = partial(first_steps.trouble, name)
        return asking.ask(question, default(), trouble=trouble)

    say("Empty answers are for later. Nothing is called before you start a campaign.")
    account_sid = ask("account_sid", "Twilio account SID (AC…)")
    if account_sid and token is None:
        trouble = partial(first_steps.trouble, "token")
        token = asking.ask("Its auth token (not shown)", "", trouble=trouble, hidden=True)
    return first_steps.Answers(
        account_sid=account_sid,
        token=token or "",
        public_url=ask("public_url", "Outside address (https://…)"),
        region=ask(
            "region",
            "Country of numbers written without one",
            lambda: first_steps.guessed_region(os.environ),
        ),
        zone=ask("zone", "Time zone", lambda: first_steps.guessed_zone(os.environ)),
    )


def _token(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{file} cannot be read: {why}") from None
    return text.strip()


def _hours_trouble(hours: str) -> str:
    """Why *hours* cannot be read; empty when they can, and for none."""
    from dialer import schedules

    try:
        if hours:
            schedules.read(zone="UTC", hours=hours)
    except UsageError as error:
        return error.message
    return ""


def _begin(folder: Path, hours: str | None, *, offline: bool) -> "list[Finding]":
    """Make the database and the schedule in *folder*, and have the doctor look at it all."""
    from dialer import schedules
    from dialer.commands import doctor
    from dialer.commands.session import Desk, working

    async def use_case(desk: Desk) -> None:
        if not hours:
            return
        async with desk.database.write() as tx:
            if any(row["name"] == SCHEDULE for row in await schedules.listed(tx)):
                return
            schedule = schedules.read(zone=desk.settings.default_zone, hours=hours)
            await schedules.create(tx, SCHEDULE, schedule, desk.clock.now())
            say(f"made the schedule {SCHEDULE}: {hours}, {desk.settings.default_zone}")

    with contextlib.chdir(folder):
        working(use_case)
        return doctor.findings(offline=offline)


def _next(answers: "Answers", folder: Path) -> Sequence[Sequence[str]]:
    """The commands that come next for this deployment."""
    enter = [] if folder.resolve() == Path.cwd() else [f"cd {folder}"]
    if not answers.account_sid:
        return [[*enter, "dialer config set twilio_account_sid AC…", "dialer doctor"]]
    return [
        [
            *enter,
            "dialer doctor",
            "dialer numbers sync",
            "dialer campaign create NAME --number +12025550123 --say 'Hello {{name}}'",
            "dialer run",
        ]
    ]


def _show(found: "Sequence[Finding]", steps: Sequence[Sequence[str]], *, demo: bool) -> None:
    """What needs a look, then what to type."""
    from dialer.commands import doctor
    from dialer.doctor.findings import Level

    for each in found:
        if each.level in (Level.WARN, Level.FAIL):
            say(f"{each.level}: {each.check}: {each.text}; {each.fix}")
    say(doctor.summary(found))
    for number, commands in enumerate(steps, 1):
        if demo:
            typer.echo(f"# terminal {number}")
        for command in commands:
            typer.echo(command)


def _emit(
    folder: Path,
    files: Mapping[str, str],
    kept: Sequence[Path],
    found: "Sequence[Finding]",
    steps: Sequence[Sequence[str]],
) -> None:
    emit(
        {
            "folder": str(folder),
            "files": list(files),
            "kept": [str(file) for file in kept],
            "findings": [
                {"check": each.check, "level": each.level, "text": each.text} for each in found
            ],
            "next": [list(commands) for commands in steps],
        }
    )
