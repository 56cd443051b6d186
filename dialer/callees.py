"""What callees have behind them: the calls that caps are counted over."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dialer.ports import Tx


async def recent_calls(
    tx: Tx, contact_ids: Sequence[int], since_at: int
) -> Mapping[int, Sequence[int]]:
    """By contact, the slots (UTC ms) of all calls since then, of whatever campaign.

    Every attempt counts that was placed or may have been; one the carrier surely did not make
    disturbed nobody.
    """
    calls: dict[int, list[int]] = defaultdict(list)
    if contact_ids:
        listed = json.dumps(contact_ids)
        for row in await tx.rows("recent_calls", contact_ids=listed, since_at=since_at):
            calls[row["contact_id"]].append(row["send_at"])
    return calls
