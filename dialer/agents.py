"""What talks to the people called, as operators handle it: add, look at."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from dialer import audit_log
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.model import Agent, AgentKind
from dialer.ports import Row, Tx, is_id
from dialer.suggestions import close_matches, did_you_mean

_SECRETS: Final = frozenset({"password"})


async def add(tx: Tx, name: str, agent: Agent, now: int) -> int:
    """Add an agent whose target and options the carrier's side has found to be good; its id.

    Raises UsageError for a name that is taken.
    """
    if not name.strip():
        raise UsageError("an agent needs a name")
    if await tx.row("agent_by_name", name=name) is not None:
        raise UsageError(f"there is an agent {name!r} already; choose another name")
    options = json.dumps(dict(agent.options))
    agent_id = await tx.value(
        "add_agent", name=name, kind=agent.kind, target=agent.target, options=options, now=now
    )
    after = {"id": agent_id, **_audited(agent)}
    await audit_log.record(tx, "agents.add", name, now, after=after)
    return int(agent_id)


async def add_message(tx: Tx, name: str, text: str, now: int) -> int:
    """Add an agent that speaks *text*, named *name* or, where that is taken, much like it."""
    if not text.strip():
        raise UsageError("there is nothing to say: the text is empty")
    taken = {row["name"] for row in await listed(tx)}
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return await add(tx, free, Agent(AgentKind.MESSAGE, text, {}), now)


async def edit(tx: Tx, name: str, agent: Agent, now: int, *, rename: str = "") -> Row:
    """Let an agent be *agent* from the next call on, for every campaign that has it."""
    row = await find(tx, name)
    new_name = rename or row["name"]
    if not new_name.strip():
        raise UsageError("an agent needs a name")
    if new_name != row["name"] and await tx.row("agent_by_name", name=new_name) is not None:
        raise UsageError(f"there is an agent {new_name!r} already; choose another name")
    options = json.dumps(dict(agent.options))
    await tx.run(
        "edit_agent",
        agent_id=row["id"],
        name=new_name,
        kind=agent.kind,
        target=agent.target,
        options=options,
    )
    await tx.run("revise_campaigns_of_agent", agent_id=row["id"])
    await tx.run("bump_revision")
    before = {"name": row["name"], **_audited(agent_of(row))}
    after = {"name": new_name, **_audited(agent)}
    await audit_log.record(tx, "agents.edit", row["name"], now, before=before, after=after)
    return await find(tx, new_name)


async def remove(tx: Tx, name: str, now: int) -> Row:
    """Remove an agent that no campaign has; raises WrongStateError naming those that do."""
    row = await find(tx, name)
    users = [each["name"] for each in await tx.rows("agent_users", agent_id=row["id"])]
    if users:
        raise WrongStateError(
            f"agent {row['name']!r} talks for {', '.join(map(repr, users))}",
            next_step=f"dialer campaign edit {users[0]!r} --set agent=ANOTHER",
        )
    await tx.run("delete_agent", agent_id=row["id"])
    before = {"id": row["id"], **_audited(agent_of(row))}
    await audit_log.record(tx, "agents.remove", row["name"], now, before=before)
    return row


def agent_of(row: Row) -> Agent:
    """A stored agent."""
    return Agent(AgentKind(row["kind"]), row["target"], json.loads(row["options"]))


async def find(tx: Tx, name: str) -> Row:
    """The agent of that name or id; raises NotFoundError with the closest one."""
    row = await tx.row("agent_by_name", name=name)
    if row is None and is_id(name):
        row = await tx.row("agent_by_id", agent_id=int(name))
    if row is None:
        names = [each["name"] for each in await listed(tx)]
        raise NotFoundError(
            f"there is no agent {name!r}{did_you_mean(close_matches(name, names))}",
            next_step="dialer agents list",
        )
    return row


async def listed(tx: Tx) -> Sequence[Row]:
    """Every agent, oldest first, with how many campaigns it serves."""
    return await tx.rows("list_agents")


def shown_options(row: Row) -> dict[str, str]:
    """An agent's options as they may be printed: secrets only say that they are set."""
    return _without_secrets(json.loads(row["options"]))


def _audited(agent: Agent) -> dict[str, object]:
    """What the audit log keeps of an agent: of a spoken text only how long it is."""
    spoken = agent.kind is AgentKind.MESSAGE
    target = audit_log.length(agent.target) if spoken else agent.target
    return {
        "kind": agent.kind,
        "target": target,
        "options": _without_secrets(agent.options),
    }


def _without_secrets(options: Mapping[str, str]) -> dict[str, str]:
    return {name: "set" if name in _SECRETS else value for name, value in options.items()}
