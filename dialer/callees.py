"""What callees have behind them: the calls that caps are counted over."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from dialer.ports import Tx

#: Whoever had a call that belongs to no attempt is not called again for so long: nobody knows what
#: came of it.
DAY_MS: Final = 86_400_000
#: Such calls are kept for as long as a cap may look back, and a day.
KEPT_MS: Final = 367 * DAY_MS


async def recent_calls(
    tx: Tx, contact_ids: Sequence[int], since_at: int
) -> Mapping[int, Sequence[int]]:
    """By contact, the slots (UTC ms) of all calls since then, of whatever campaign.

    Every attempt counts that was placed or may have been; one the carrier surely did not make
    disturbed nobody. So does a call that was found after a restore and belongs to no attempt.
    """
    calls: dict[int, list[int]] = defaultdict(list)
    if contact_ids:
        listed = json.dumps(contact_ids)
        for row in await tx.rows("recent_calls", contact_ids=listed, since_at=since_at):
            calls[row["contact_id"]].append(row["send_at"])
    return calls
