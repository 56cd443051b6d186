"""`dialer agents`: what talks to the people called."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.console import emit, facts_table, iso, say, table

if TYPE_CHECKING:
    from dialer.model import Agent

agents = typer.Typer(help="What talks to the people called.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The agent's name or id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@agents.command(
    epilog="Example: dialer agents add Reminder --say 'Hello {{name}}, see you at ten.'"
)
def add(
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

    agent_id = writing(use_case)
    if json_:
        emit({"id": agent_id, "name": name, "kind": agent.kind})
        return
    say(f"agent {name!r} is made (id {agent_id})")
    say(f"next:  dialer campaign create NAME --number +… --agent {name!r}")


@agents.command("list", epilog="Example: dialer agents list --json")
def list_(json_: Json = False) -> None:
    """All agents."""
    from dialer import agents as use_cases
    from dialer.commands.session import reading
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, _now: int) -> Sequence[Row]:
        return await use_cases.listed(tx)

    rows = reading(use_case)
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


@agents.command(epilog="Example: dialer agents show Reminder")
def show(name: Name, json_: Json = False) -> None:
    """One agent with its options; secrets only say that they are set."""
    from dialer import agents as use_cases
    from dialer.commands.session import reading
    from dialer.ports import Row, Tx

    async def use_case(tx: Tx, _now: int) -> tuple[Row, list[str]]:
        row = await use_cases.find(tx, name)
        users = await tx.rows("agent_users", agent_id=row["id"])
        return row, [each["name"] for each in users]

    row, users = reading(use_case)
    facts = {
        "id": row["id"],
        "name": row["name"],
        "kind": row["kind"],
        "target": row["target"],
        "options": use_cases.shown_options(row),
        "campaigns": users,
        "created_at": iso(row["created_at"]),
    }
    if json_:
        emit(facts)
        return
    options = " ".join(f"{key}={value}" for key, value in use_cases.shown_options(row).items())
    shown = {**facts, "options": options, "campaigns": ", ".join(users)}
    facts_table(shown)


@agents.command(epilog="Example: dialer agents edit Reminder --say 'See you at eleven.'")
def edit(
    name: Name,
    say_text: Annotated[str | None, typer.Option("--say", help="Speak this text.")] = None,
    stream: Annotated[str | None, typer.Option(help="Websocket with the call's audio.")] = None,
    relay: Annotated[str | None, typer.Option(help="Websocket with text.")] = None,
    sip: Annotated[str | None, typer.Option(help="SIP address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Phone number.")] = None,
    twiml_url: Annotated[
        str | None, typer.Option("--twiml-url", help="Address of a TwiML document.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, added to those there are; NAME= takes one away."),
    ] = None,
    rename: Annotated[str, typer.Option(help="Another name.")] = "",
    json_: Json = False,
) -> None:
    """Change an agent for every campaign that has it, from the next call on."""
    from dialer import agents as use_cases
    from dialer.carriers.twiml import validate_agent
    from dialer.commands.session import writing
    from dialer.errors import UsageError
    from dialer.ports import Row, Tx

    targets = {
        "message": say_text,
        "stream": stream,
        "relay": relay,
        "sip": sip,
        "phone": phone,
        "twiml_url": twiml_url,
    }
    if not (any(target is not None for target in targets.values()) or option or rename):
        raise UsageError("there is nothing to change", next_step=f"dialer agents edit {name!r} -h")

    async def use_case(tx: Tx, now: int) -> Row:
        agent = _changed(use_cases.agent_of(await use_cases.find(tx, name)), targets, option or [])
        validate_agent(agent)
        return await use_cases.edit(tx, name, agent, now, rename=rename)

    row = writing(use_case)
    if json_:
        emit({"id": row["id"], "name": row["name"], "kind": row["kind"], "target": row["target"]})
    else:
        say(f"agent {row['name']!r} is changed")


@agents.command(epilog="Example: dialer agents remove Reminder --yes")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Remove an agent that no campaign has."""
    from dialer import agents as use_cases
    from dialer.commands.console import confirm
    from dialer.commands.session import reading, writing

    row = reading(lambda tx, _: use_cases.find(tx, name))
    confirm(f"Remove agent {row['name']!r}?", yes=yes)
    gone = writing(lambda tx, now: use_cases.remove(tx, name, now))
    if json_:
        emit({"id": gone["id"], "name": gone["name"]})
    else:
        say(f"agent {gone['name']!r} is removed")


def _changed(agent: "Agent", targets: Mapping[str, str | None], options: Sequence[str]) -> "Agent":
    """*agent* with another target, if one is given, and with options added or taken away."""
    from dialer.errors import UsageError
    from dialer.model import Agent

    kept = dict(agent.options)
    for text in options:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"option {text!r}: write NAME=VALUE, as in language=en-US")
        kept[name.strip()] = value
    kept = {name: value for name, value in kept.items() if value}
    if all(target is None for target in targets.values()):
        return Agent(agent.kind, agent.target, kept)
    other = _agent(targets, [])
    return Agent(other.kind, other.target, kept)


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
