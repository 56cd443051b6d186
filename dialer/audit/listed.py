"""Whoever is on the do-not-call list is not called: I9."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from dialer.audit.evidence import Evidence
from dialer.audit.records import Listing
from dialer.audit.report import Scope, Violation, moment, of_attempt

_ADDED = "added"


def i9_nobody_listed_is_called(evidence: Evidence) -> Iterator[Violation]:
    """No call is asked for whose callee is on the do-not-call list, everywhere or for its campaign.

    Source: the list is asked in the claim and right before every request. An entry holds within
    the reaction time after it was made, until it is taken away.
    """
    entries = _by_phone(evidence)
    margin_ms = evidence.bounds.reaction_ms + evidence.bounds.skew_ms
    for call, attempt in evidence.dialed:
        told = entries.get(call.to, ())
        for scope in (None, attempt.campaign_id):
            of_scope = [entry for entry in told if entry.campaign_id == scope]
            since_at = _listed_since(of_scope, call.arrived_at, margin_ms)
            if since_at is not None:
                where = "everywhere" if scope is None else "for its campaign"
                text = f"{call.to} was called by {call.sid}, listed {where} since"
                yield of_attempt(attempt, "I9", f"{text} {moment(since_at)}")


def calls_with_a_list(evidence: Evidence) -> Scope:
    """The calls that can be attributed; the list is read with its whole history."""
    return Scope(len(evidence.dialed))


def _by_phone(evidence: Evidence) -> Mapping[str, Sequence[Listing]]:
    entries: dict[str, list[Listing]] = defaultdict(list)
    for entry in sorted(evidence.listings, key=lambda entry: (entry.at, entry.id)):
        entries[entry.phone].append(entry)
    return entries


def _listed_since(entries: Sequence[Listing], at: int, margin_ms: int) -> int | None:
    """Since when an entry had held for the margin at *at*; None when none did."""
    since_at: int | None = None
    for entry in entries:
        if entry.at > at:
            break
        since_at = entry.at if entry.event == _ADDED else None
    return since_at if since_at is not None and since_at + margin_ms < at else None
