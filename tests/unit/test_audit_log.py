"""The chain of the audit log: whatever is done to it is found."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.audit_log import ROOT, Chain, Entry, Fault, digest

#: Everything a hash covers, and the hash itself; the id only says where an entry stands.
FIELDS = ("at", "actor", "action", "subject", "before", "after", "previous_hash", "hash")

Content = tuple[int, str, str, str, str, str]

words = st.text(max_size=8)
contents = st.lists(
    st.tuples(st.integers(0, 2**62), words, words, words, words, words), min_size=1, max_size=6
)


def chained(said: list[Content]) -> list[Entry]:
    """The entries that say so, each following the one before it."""
    entries: list[Entry] = []
    head = ROOT
    for number, (at, actor, action, subject, before, after) in enumerate(said, 1):
        content: dict[str, Any] = {
            "at": at, "actor": actor, "action": action, "subject": subject,
            "before": before, "after": after, "previous_hash": head,
        }  # fmt: skip
        head = digest(**content)
        entries.append(Entry(id=number, hash=head, **content))
    return entries


def fault_in(entries: list[Entry], expect: str | None = None) -> Fault | None:
    """How a walk along the entries ends."""
    chain = Chain(expect)
    for entry in entries:
        if (fault := chain.add(entry)) is not None:
            return fault
    return None if chain.expected else Fault.MISSING


def test_a_hash_is_that_of_the_fields_as_json() -> None:
    # What the documentation says of it, computed by hand: printf %s '{…}' | sha256sum
    assert digest(
        at=1, actor="ann", action="campaign.start", subject="Grüße", before="null",
        after='{"status":"active"}', previous_hash=ROOT,
    ) == "c6f3a90925d734c7dba238dc7b5d84169c7c28db6a0c08272614c89fdd0a0746"  # fmt: skip


@given(contents)
def test_a_chain_nobody_touched_is_whole(said: list[Content]) -> None:
    entries = chained(said)
    chain = Chain()

    assert [chain.add(entry) for entry in entries] == [None] * len(entries)
    assert (chain.entries, chain.head) == (len(entries), entries[-1].hash)


@given(contents, st.data())
def test_any_change_of_any_field_is_found(said: list[Content], data: st.DataObject) -> None:
    entries = chained(said)
    at = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(FIELDS))
    was = asdict(entries[at])[field]
    other = st.integers(0, 2**62) if field == "at" else st.text(max_size=8)
    now = data.draw(other.filter(lambda value: value != was))
    changed: dict[str, Any] = {field: now}
    entries[at] = replace(entries[at], **changed)

    assert fault_in(entries) is Fault.CHANGED


@given(contents, st.data())
def test_a_change_with_a_hash_to_fit_is_found_by_the_next_entry_or_by_a_head_noted_down(
    said: list[Content], data: st.DataObject
) -> None:
    entries = chained(said)
    noted = entries[-1].hash
    at = data.draw(st.integers(0, len(entries) - 1))
    actor, subject = data.draw(words), entries[at].subject + "!"
    forged = replace(entries[at], actor=actor, subject=subject)
    content = {name: getattr(forged, name) for name in FIELDS if name != "hash"}
    entries[at] = replace(forged, hash=digest(**content))

    assert fault_in(entries, expect=noted) is Fault.MISSING


@given(contents, st.data())
def test_any_removal_is_found_with_a_head_noted_down(
    said: list[Content], data: st.DataObject
) -> None:
    entries = chained(said)
    first = data.draw(st.integers(0, len(entries) - 1))
    behind = data.draw(st.integers(first + 1, len(entries)))
    left = entries[:first] + entries[behind:]

    assert fault_in(left, expect=entries[-1].hash) is Fault.MISSING
    assert (fault_in(left) is None) == (behind == len(entries))


@given(contents, st.data())
def test_any_other_order_is_found(said: list[Content], data: st.DataObject) -> None:
    entries = chained(said)
    shuffled = data.draw(st.permutations(entries))

    assert (fault_in(shuffled) is None) == (shuffled == entries)


@given(contents, st.data())
def test_an_entry_told_twice_is_found(said: list[Content], data: st.DataObject) -> None:
    entries = chained(said)
    again = data.draw(st.sampled_from(entries))
    place = data.draw(st.integers(0, len(entries)))

    assert fault_in([*entries[:place], again, *entries[place:]]) is Fault.MISSING


@pytest.mark.parametrize("noted", [ROOT, *[entry.hash for entry in chained([(1, *"abcde")] * 3)]])
def test_every_head_there_ever_was_is_part_of_the_chain(noted: str) -> None:
    assert fault_in(chained([(1, *"abcde")] * 3), expect=noted) is None
