"""Settings of a campaign that name something else: its agent, its schedule, its numbers."""

from collections.abc import Mapping
from typing import Any

from dialer import agents, numbers, schedules
from dialer.campaigns import NewCampaign
from dialer.commands.campaign_settings import NONE
from dialer.errors import UsageError
from dialer.model import Agent, AgentKind
from dialer.ports import Tx


def check_text(text: str) -> None:
    """Raise UsageError for a text that cannot be spoken."""
    from dialer.carriers.twiml import validate_agent

    validate_agent(Agent(AgentKind.MESSAGE, text, {}))


async def looked_up(
    tx: Tx, texts: Mapping[str, str], name: str, now: int, *, preview: bool = False
) -> dict[str, Any]:
    """The fields that settings written as *texts* change by what they name.

    A text to say becomes an agent named like the campaign, but for a *preview*.
    """
    fields: dict[str, Any] = {}
    if "agent" in texts and "say" in texts:
        raise UsageError("say who talks to people: either an agent or a text to say")
    if "agent" in texts:
        fields["agent_id"] = (await agents.find(tx, texts["agent"]))["id"]
    if "say" in texts:
        check_text(texts["say"])
        if not preview:
            fields["agent_id"] = await agents.add_message(tx, name, texts["say"], now)
    if "schedule" in texts:
        schedule = texts["schedule"]
        none = schedule.strip().lower() in ("", NONE)
        fields["schedule_id"] = None if none else (await schedules.find(tx, schedule))["id"]
    if "numbers" in texts:
        given = [part for part in texts["numbers"].split(",") if part.strip()]
        pool = [await numbers.find_weighted(tx, part) for part in given]
        ids = [number_id for number_id, _ in pool]
        for number_id, text in zip(ids, given, strict=True):
            if ids.count(number_id) > 1:
                raise UsageError(f"number {text.strip()} is given twice")
        fields["numbers"] = pool
    return fields


async def looked_back(tx: Tx, settings: NewCampaign) -> dict[str, str]:
    """The same as texts: what the settings of a campaign name."""
    agent_names = {row["id"]: row["name"] for row in await agents.listed(tx)}
    schedule_names = {row["id"]: row["name"] for row in await schedules.listed(tx)}
    phones = {row["id"]: row["phone"] for row in await tx.rows("list_numbers")}
    return {
        "agent": agent_names[settings.agent_id],
        "schedule": NONE if settings.schedule_id is None else schedule_names[settings.schedule_id],
        "numbers": ",".join(
            phones[number_id] if weight == 1 else f"{phones[number_id]}={weight}"
            for number_id, weight in settings.numbers
        ),
    }
