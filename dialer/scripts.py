"""What an answered call is to hear, read when the carrier asks."""

import json
from typing import Final

from dialer.model import (
    BY_SOUND,
    BY_WORDS,
    Agent,
    AgentKind,
    AmdMode,
    AttemptId,
    OnMachine,
    Script,
)
from dialer.plans import modes_from
from dialer.ports import Database, Row
from dialer.states import OPEN_ATTEMPT_STATES, AttemptState, CampaignStatus

#: The carrier's verdict that a machine answered comes within this of the answer, nearly always: it
#: listens to a first phrase (Twilio decides after some 4 s). A call that ended before its verdict
#: would count as a person reached.
VERDICT_S: Final = 10
#: Our own detection gives up on a call it could not tell after this: a transcript begins some
#: seconds late, and a greeting says what it is only in the middle.
LISTEN_S: Final = 15
#: The carrier waits so long for the end of a machine's greeting (Twilio's MachineDetectionTimeout).
GREETING_S: Final = 30


class Scripts:
    """Looks the script of an attempt up."""

    def __init__(self, database: Database, time_limit_s: int) -> None:
        self._database = database
        self._time_limit_s = time_limit_s

    async def of(self, attempt_id: AttemptId) -> Script | None:
        """The script, or None when the attempt is over or unknown, or its campaign cancelled."""
        row = await self._row(attempt_id)
        if row is None or AttemptState(row["state"]) not in OPEN_ATTEMPT_STATES:
            return None
        if CampaignStatus(row["campaign_status"]) is CampaignStatus.CANCELLED:
            return None
        return self._script(row)

    async def heard(self, attempt_id: AttemptId) -> Script | None:
        """The script of an attempt in whatever state, or None when it is unknown."""
        row = await self._row(attempt_id)
        return None if row is None else self._script(row)

    async def _row(self, attempt_id: AttemptId) -> Row | None:
        async with self._database.read() as tx:
            return await tx.row("call_script", attempt_id=attempt_id)

    def _script(self, row: Row) -> Script:
        variables = {
            "phone": row["phone"],
            "name": row["name"],
            "email": row["email"],
            **json.loads(row["variables"]),
        }
        acting = AmdMode(row["amd"])
        modes = {acting, *modes_from(row["amd_shadow"])}
        return Script(
            attempt_id=row["id"],
            agent=Agent(AgentKind(row["kind"]), row["target"], json.loads(row["options"])),
            variables=variables,
            language=row["language"],
            caller_id=row["caller_id"],
            time_limit_s=self._time_limit_s,
            listen_s=listen_s(acting, OnMachine(row["on_machine"])),
            by_words=bool(modes & BY_WORDS),
            by_sound=bool(modes & BY_SOUND),
        )


def listen_s(amd: AmdMode, on_machine: OnMachine) -> int:
    """How long a call is kept after a spoken message, for it to be found out who answered."""
    if amd is AmdMode.OFF:
        return 0
    if on_machine is OnMachine.LEAVE_MESSAGE:
        return GREETING_S
    return VERDICT_S if amd is AmdMode.CARRIER else LISTEN_S
