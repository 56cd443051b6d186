"""How the modes of detection judged the calls of a campaign, and what their errors cost.

What a call really was is known of some calls alone: somebody has listened and labelled it, the
callee asked not to be called again, or talked to an agent for long. The rest is compared between
modes, and is no error of any of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from operator import itemgetter
from typing import Final

from amd.verdict import Verdict
from dialer.model import AgentKind, CampaignId
from dialer.ports import Row, Tx

MS: Final = 1000
#: Nobody talks to a machine for longer: voicemail takes some half a minute of it.
CONVERSATION_S: Final = 60
#: An opt-out by the callee's own word within this of the call's end was made in the call.
OPT_OUT_GRACE_MS: Final = 60 * MS
#: A machine's verdict is held against these.
THRESHOLDS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
#: What a verdict means for the callee: talked to, or not.
_TALKED_TO: Final = frozenset({Verdict.HUMAN, Verdict.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Prices:
    """What an error costs, in whatever money: a lost person, a machine that was talked to."""

    lost_human: float
    machine: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The last word of one mode about one call."""

    mode: str
    acting: bool
    verdict: Verdict
    confidence: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """An answered call: what it turned out to be, if that is known, and who thought what."""

    was: Verdict | None
    because: str
    judged: Mapping[str, Judged]


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors among the calls that are known, if machines count from *confidence* on."""

    confidence: float
    lost_humans: int
    machines_talked_to: int
    cost: float


@dataclass(frozen=True, slots=True)
class ModeReport:
    """How one mode did."""

    mode: str
    acting: bool
    judged: int
    verdicts: Mapping[str, int]
    decided_ms: tuple[int, int] | None  # the median, and what 95 of 100 stay below
    known: int  # calls of which it is known what they were
    errors: Errors
    thresholds: Sequence[Errors]


@dataclass(frozen=True, slots=True)
class Report:
    """How the modes of a campaign did, and where they differ."""

    calls: int
    known: Mapping[str, int]  # by what the call was, and why that is known
    modes: Sequence[ModeReport]
    #: By two modes: how often the one said this and the other that.
    confusion: Mapping[tuple[str, str], Mapping[tuple[str, str], int]]


async def report(tx: Tx, campaign_id: CampaignId, prices: Prices) -> Report:
    """Judge the judges of a campaign."""
    rows = await tx.rows("judged_calls", campaign_id=campaign_id, grace_ms=OPT_OUT_GRACE_MS)
    verdicts = await tx.rows("verdicts_of_campaign", campaign_id=campaign_id)
    words = {id_: _last_words(told) for id_, told in groupby(verdicts, itemgetter("attempt_id"))}
    calls = [_call(row, words.get(row["id"], {})) for row in rows]
    return summary(calls, prices)


def summary(calls: Sequence[JudgedCall], prices: Prices) -> Report:
    """What *calls* say of the modes that judged them."""
    modes = dict.fromkeys(mode for call in calls for mode in call.judged)
    known = Counter(f"{call.was}: {call.because}" for call in calls if call.was is not None)
    return Report(
        calls=len(calls),
        known=dict(known.most_common()),
        modes=[_mode(mode, calls, prices) for mode in modes],
        confusion={pair: _confusion(pair, calls) for pair in combinations(modes, 2)},
    )


def _mode(mode: str, calls: Sequence[JudgedCall], prices: Prices) -> ModeReport:
    judged = [(call.was, call.judged[mode]) for call in calls if mode in call.judged]
    known = [(was, one) for was, one in judged if was is not None]
    decided = sorted(one.at_ms for _, one in judged)
    return ModeReport(
        mode=mode,
        acting=any(one.acting for _, one in judged),
        judged=len(judged),
        verdicts=dict(Counter(str(one.verdict) for _, one in judged).most_common()),
        decided_ms=(_share(decided, 0.5), _share(decided, 0.95)) if decided else None,
        known=len(known),
        errors=_errors(known, 0.0, prices),
        thresholds=[_errors(known, confidence, prices) for confidence in THRESHOLDS],
    )


def _errors(known: Sequence[tuple[Verdict, Judged]], confidence: float, prices: Prices) -> Errors:
    """Errors where a machine that was less sure than *confidence* is taken for a person."""
    lost = talked_to = 0
    for was, judged in known:
        taken = judged.verdict in _TALKED_TO or judged.confidence < confidence
        lost += was is Verdict.HUMAN and not taken
        talked_to += was is not Verdict.HUMAN and taken
    cost = lost * prices.lost_human + talked_to * prices.machine
    return Errors(confidence, lost, talked_to, round(cost, 2))


def _confusion(pair: tuple[str, str], calls: Sequence[JudgedCall]) -> Mapping[tuple[str, str], int]:
    one, other = pair
    both = [call.judged for call in calls if one in call.judged and other in call.judged]
    said = Counter((str(each[one].verdict), str(each[other].verdict)) for each in both)
    return dict(said.most_common())


def _share(ordered: Sequence[int], share: float) -> int:
    """What so large a share of *ordered* does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _last_words(told: Iterable[Row]) -> dict[str, Judged]:
    """By mode, its last word; that it does not know takes nothing back."""
    last: dict[str, Judged] = {}
    for row in told:  # in their sequence
        verdict = Verdict(row["verdict"])
        if row["mode"] in last and verdict is Verdict.UNKNOWN:
            continue
        last[row["mode"]] = Judged(
            row["mode"], bool(row["acting"]), verdict, row["confidence"], row["at_ms"]
        )
    return last


def _call(row: Row, judged: Mapping[str, Judged]) -> JudgedCall:
    was, because = _turned_out(row)
    return JudgedCall(was, because, judged)


def _turned_out(row: Row) -> tuple[Verdict | None, str]:
    """What a call was, as far as anything but a detector knows."""
    if row["label"] is not None and row["label"] != Verdict.UNKNOWN:
        return Verdict(row["label"]), "labelled"
    if row["opted_out"]:
        return Verdict.HUMAN, "asked not to be called again"
    talks = row["agent_kind"] != AgentKind.MESSAGE and row["message_left_at"] is None
    if talks and (row["duration_s"] or 0) >= CONVERSATION_S:
        return Verdict.HUMAN, f"talked for {CONVERSATION_S} s or longer"
    return None, ""
