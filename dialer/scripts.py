"""What an answered call is to hear, read when the carrier asks."""

import json

from dialer.model import Agent, AgentKind, AttemptId, Script
from dialer.ports import Database, Row
from dialer.states import OPEN_ATTEMPT_STATES, AttemptState, CampaignStatus


class Scripts:
    """Looks the script of an attempt up."""

    def __init__(self, database: Database, time_limit_s: int) -> None:
        self._database = database
        self._time_limit_s = time_limit_s

    async def of(self, attempt_id: AttemptId) -> Script | None:
        """The script, or None when the attempt is over or unknown, or its campaign cancelled."""
        async with self._database.read() as tx:
            row = await tx.row("call_script", attempt_id=attempt_id)
        if row is None or AttemptState(row["state"]) not in OPEN_ATTEMPT_STATES:
            return None
        if CampaignStatus(row["campaign_status"]) is CampaignStatus.CANCELLED:
            return None
        return self._script(row)

    def _script(self, row: Row) -> Script:
        variables = {
            "phone": row["phone"],
            "name": row["name"],
            "email": row["email"],
            **json.loads(row["variables"]),
        }
        return Script(
            attempt_id=row["id"],
            agent=Agent(AgentKind(row["kind"]), row["target"], json.loads(row["options"])),
            variables=variables,
            language=row["language"],
            caller_id=row["caller_id"],
            time_limit_s=self._time_limit_s,
        )
