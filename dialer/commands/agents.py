"""`dialer agents`: what talks to the people called."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.console import emit, iso, say, table

if TYPE_CHECKING:
    from dialer.model import Agent

agents = typer.Typer(help="What talks to the people called.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@agents.command(
    epilog="Example: dialer agents add Reminder --say 'Hello {{name}}, see you at ten.'"
)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name no other agent has.")],
    say_text: Annotated[
        str | None, typer.Option("--say", help="Speak this text; {{name}} is filled in.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Websocket (wss://…) that gets and gives the call's audio.")
    ] = None,
    relay: Annotated[
        str | None, typer.Option(help="Websocket (wss://…) with text; the carrier speaks.")
    ] = None,
    sip: Annotated[
        str | None, typer.Option(help="SIP address, as in sip:sales@example.com.")
    ] = None,
    phone: Annotated[str | None, typer.Option(help="Phone number, as in +12025550123.")] = None,
    twiml_url: Annotated[
        str | None, typer.Option("--twiml-url", help="Address (https://…) of a TwiML document.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="voice=…, language=en-US, voicemail=…, …; repeat for more."),
    ] = None,
    json_: Json = False,
) -> None:
    """Add an agent; give exactly one of --say, --stream, --relay, --sip, --phone, --twiml-url."""
    from dialer import agents as use_cases
    from dialer.carriers.twiml import validate_agent
    from dialer.commands.session import writing
    from dialer.ports import Tx

    targets = {
        "message": say_text,
        "stream": stream,
        "relay": relay,
        "sip": sip,
        "phone": phone,
        "twiml_url": twiml_url,
    }
    agent = _agent(targets, option or [])
    validate_agent(agent)

    async def use_case(tx: Tx, now: int) -> int:
        return await use_cases.add(tx, name, agent, now)

    agent_id = writing(ctx, use_case)
    if json_:
        emit({"id": agent_id, "name": name, "kind": agent.kind})
        return
    say(f"agent {name!r} is made (id {agent_id})")
    say(f"next:  dialer campaign create NAME --number +… --agent {name!r}")


@agents.command("list", epilog="Example: dialer agents list --json")
def list_(ctx: typer.Context, json_: Json = False) -> None:
    """All agents."""
    from dialer import agents as use_cases
    from dialer.commands.session import reading
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, _now: int) -> Sequence[Row]:
        return await use_cases.listed(tx)

    rows = reading(ctx, use_case)
    if json_:
        emit(
            [
                {
                    "id": row["id"],
                    "name": row["name"],
                    "kind": row["kind"],
                    "target": row["target"],
                    "options": use_cases.shown_options(row),
                    "campaigns": row["campaigns"],
                    "created_at": iso(row["created_at"]),
                }
                for row in rows
            ]
        )
        return
    if not rows:
        say("no agents yet; add one: dialer agents add NAME --say TEXT")
    columns = ["id", "name", "kind", "target", "campaigns"]
    table(columns, [[row[column] for column in columns] for row in rows])


def _agent(targets: Mapping[str, str | None], options: Sequence[str]) -> "Agent":
    from dialer.errors import UsageError
    from dialer.model import Agent, AgentKind

    given = {kind: target for kind, target in targets.items() if target is not None}
    if len(given) != 1:
        raise UsageError(
            "give exactly one of --say, --stream, --relay, --sip, --phone and --twiml-url"
        )
    ((kind, target),) = given.items()
    pairs = [text.partition("=") for text in options]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise UsageError(f"option {name!r}: write NAME=VALUE, as in language=en-US")
    return Agent(AgentKind(kind), target, {name.strip(): value for name, _, value in pairs})
