"""`dialer jobs`: long work, running or over: imports, exports, backups."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from dialer.commands.console import emit, iso, moment, one_line, rows_wanted, say, say_more, table

app = typer.Typer(help="Long work: imports, exports, backups.", no_args_is_help=True)

JobNumber = Annotated[
    int, typer.Argument(metavar="JOB", min=1, max=2**62, help="A job's id; see dialer jobs list.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_TIMES = ("started_at", "beat_at", "ended_at", "cancel_at")


@app.command("list", epilog="Example: dialer jobs list --kind import --json")
def list_(
    kind: Annotated[str | None, typer.Option(help="import, export or backup.")] = None,
    json_: Json = False,
) -> None:
    """Jobs, newest first: how far each is, and whether its process is still there."""
    from dialer import work
    from dialer.commands.parsing import choice
    from dialer.commands.session import reading

    wanted = None if kind is None else choice("kind", kind, work.JobKind)
    jobs = reading(
        lambda tx, now: work.listed(tx, now, limit=rows_wanted(as_json=json_), kind=wanted)
    )
    if json_:
        emit([_json(job) for job in jobs])
        return
    table(
        ["id", "kind", "state", "done", "subject", "actor", "started"],
        [
            [
                job["id"],
                job["kind"],
                job["state"],
                progress(job),
                one_line(job["subject"]),
                job["actor"],
                moment(job["started_at"]),
            ]
            for job in jobs
        ],
        spare=("actor",),
    )
    say_more(len(jobs))


@app.command(epilog="Example: dialer jobs show 4 --json")
def show(job_id: JobNumber, json_: Json = False) -> None:
    """One job: how far it is, who works on it, and how it ended."""
    from dialer import work
    from dialer.commands.session import reading

    job = reading(lambda tx, now: work.found(tx, job_id, now))
    if json_:
        emit(_json(job))
        return
    times = [(name.removesuffix("_at"), moment(job[name])) for name in _TIMES]
    words = [(name, job[name]) for name in ("id", "kind", "subject", "state", "actor", "worker")]
    table(
        ["what", "value"],
        [*words, ("progress", progress(job)), *times, ("message", one_line(job["message"]))],
    )


@app.command(epilog="Example: dialer jobs cancel 4")
def cancel(job_id: JobNumber, json_: Json = False) -> None:
    """Ask a job to end after the portion it is at; what is done by then stays done."""
    from dialer import work
    from dialer.commands.session import writing

    job = writing(lambda tx, now: work.cancel(tx, job_id, now))
    if json_:
        emit(_json(job))
    if job["state"] == work.JobState.RUNNING:
        say(f"job {job_id} is asked to end; see dialer jobs show {job_id}")
    else:
        say(f"job {job_id} is cancelled; its process was gone")


def progress(job: Mapping[str, Any]) -> str:
    """How much is done: as a share where the whole is known."""
    if not job["total"]:
        return f"{job['done']:,}"
    return f"{100 * job['done'] / job['total']:.0f} %"


def _json(job: Mapping[str, Any]) -> dict[str, Any]:
    return {**job, **{name: iso(job[name]) for name in _TIMES}}
