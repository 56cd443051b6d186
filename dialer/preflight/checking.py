"""Looking a campaign over: the use case."""

from dialer import campaigns
from dialer.hours import HolidayProvider
from dialer.ports import Tx
from dialer.preflight import reading
from dialer.preflight.facts import Deployment, Report
from dialer.preflight.findings import findings


async def check(
    tx: Tx, name: str, now: int, deployment: Deployment, holidays: HolidayProvider
) -> Report:
    """The report of the campaign of that name or id; nothing is changed.

    Raises NotFoundError for a campaign that is none, and UsageError when its hours or the rules
    cannot be read.
    """
    row = await campaigns.find(tx, name)
    facts = await reading.take(tx, row, now, deployment, holidays)
    return Report(facts, findings(facts))
