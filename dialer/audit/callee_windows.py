"""Callees are called when it is open where they are: the callee's side of I4."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from dialer.audit.evidence import Evidence
from dialer.audit.records import Attempt, Call
from dialer.audit.report import Violation, moment, of_attempt
from dialer.audit.rules import DELIVERED, CalleePlace, StoredRules, callee_place


def callees_are_called_in_their_hours(evidence: Evidence) -> Iterator[Violation]:
    """No call is accepted or rings where the rules are closed that its claim was decided by.

    Source: the third promise. Whoever may be in several zones is called when it is open in all.
    """
    rules = readable_rules(evidence)
    for call, attempt, place in _placed(evidence):
        decided_by = rules.get(attempt.rule_set_id)
        for what, at in (("accepted", call.accepted_at), ("ringing", call.ringing_at)):
            if at is None:
                continue
            why = "to somebody of whom no zone is known" if not place.zones else None
            if why is None and decided_by is not None:
                why = decided_by.closed(place, at, evidence.bounds.skew_ms)
            if why is not None:
                text = f"{call.sid} to {call.to} was {what} at {moment(at)}, {why}"
                yield of_attempt(attempt, "I4", text)


def changed_rules_hold_at_once(evidence: Evidence) -> Iterator[Violation]:
    """No call is claimed by rules that were not in force any more, and none comes about for long.

    Source: the claim asks which rules are the newest in its own transaction. Whoever was claimed
    before a change may be called for as long as an order is good.
    """
    bounds = evidence.bounds
    sets = sorted(evidence.rule_sets, key=lambda each: each.id)
    made_at = [each.created_at for each in sets]
    rules = readable_rules(evidence)
    for call, attempt, place in _placed(evidence):
        margin_ms = bounds.reaction_ms + bounds.skew_ms
        newest = bisect_right(made_at, attempt.intent_at - margin_ms)
        if newest and (attempt.rule_set_id or 0) < sets[newest - 1].id:
            since_at = moment(sets[newest - 1].created_at)
            text = f"{call.sid} was claimed by rules older than those in force since {since_at}"
            yield of_attempt(attempt, "I4", text)
        since = bisect_right(made_at, call.accepted_at - bounds.claimed_ms - bounds.skew_ms)
        until = bisect_right(made_at, call.accepted_at + bounds.skew_ms)
        # Before the first set, the rules are those that are delivered.
        ids = ([sets[since - 1].id] if since else [None]) + [each.id for each in sets[since:until]]
        whys = [
            known.closed(place, call.accepted_at, bounds.skew_ms) if known is not None else None
            for known in map(rules.get, ids)
        ]
        if all(whys):
            at = moment(call.accepted_at)
            yield of_attempt(attempt, "I4", f"{call.sid} was accepted at {at}, {whys[-1]}")


def rules_unknown(evidence: Evidence) -> Sequence[str]:
    """What cannot be known about the rules, in words."""
    unplaced = sum(callee_place(attempt.window_key) is None for _, attempt in evidence.dialed)
    unread = len(evidence.rule_sets) + 1 - len(readable_rules(evidence))
    notes = []
    if unplaced:
        notes.append(f"{unplaced} calls of which it is not recorded where their callee is")
    if unread:
        notes.append(f"{unread} sets of calling rules that cannot be read")
    return notes


def readable_rules(evidence: Evidence) -> Mapping[int | None, StoredRules]:
    """The sets of rules that can be read, by their id; None stands for those that are delivered."""
    read: dict[int | None, StoredRules] = {None: DELIVERED}
    for each in evidence.rule_sets:
        try:
            read[each.id] = StoredRules(each.body)
        except ValueError:
            continue
    return read


def _placed(evidence: Evidence) -> Iterator[tuple[Call, Attempt, CalleePlace]]:
    """The calls of which it is known where their callee may be."""
    for call, attempt in evidence.dialed:
        place = callee_place(attempt.window_key)
        if place is not None:
            yield call, attempt, place
