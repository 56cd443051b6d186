"""The audit log: who did what and when, with before and after, for every operator's action.

Theory of operation. An entry is written in the transaction of its action: there is neither without
the other. Its hash covers what it says and the hash of the entry before it, so whoever changes,
removes, inserts or moves an entry breaks the chain from there on. What a chain cannot show by
itself is that its last entries are gone: a hash noted down elsewhere must still be part of it. The
database refuses changes by itself; the chain is for those who get around the database.

Phone numbers are masked before they are hashed, so that erasing a person never touches the log.
Of what an operator writes at length, where people may be named, its length alone is kept.
(What holds calls against the carrier's record is :mod:`dialer.audit`, and another thing.)
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Self

from dialer.errors import NotFoundError
from dialer.masking import mask, masked
from dialer.ports import Row, Tx

#: What the first entry follows.
ROOT: Final = "0" * 64
#: Entries read at a time: the log is walked in bounded memory.
PAGE: Final = 1000
#: No id is below it, not even one that somebody forged.
_BEFORE_ALL: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class Entry:
    """One action; *before* and *after* are JSON as it is stored."""

    id: int
    at: int  # UTC ms
    actor: str
    action: str
    subject: str
    before: str
    after: str
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, row: Row) -> Self:
        """The entry in a row of the table."""
        return cls(**dict(row))

    @property
    def genuine(self) -> bool:
        """Whether it says what it said when it was written."""
        said = digest(
            at=self.at,
            actor=self.actor,
            action=self.action,
            subject=self.subject,
            before=self.before,
            after=self.after,
            previous_hash=self.previous_hash,
        )
        return self.hash == said


class Fault(StrEnum):
    """How a chain is broken."""

    CHANGED = "changed"  # an entry does not say what it said
    MISSING = "missing"  # what an entry follows is not in the log
    MOVED = "moved"  # what an entry follows is in the log, elsewhere


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that breaks the chain; *follows* is the id of what a moved one belongs to."""

    entry_id: int
    fault: Fault
    follows: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the chain found: so many entries are whole, the last of which is *head*."""

    entries: int
    head: str
    broken: Broken | None
    expected: bool  # the hash that was asked for is part of the chain, or none was asked for

    @property
    def whole(self) -> bool:
        return self.broken is None and self.expected


class Chain:
    """Follows entries from the first one on, for as long as each follows the one before it."""

    def __init__(self, expect: str | None = None) -> None:
        self.entries = 0
        self.head = ROOT
        self._expect = expect
        self.expected = expect in (None, ROOT)

    def add(self, entry: Entry) -> Fault | None:
        """Take the next entry; says how it breaks the chain, as far as it can tell by itself."""
        if not entry.genuine:
            return Fault.CHANGED
        if entry.previous_hash != self.head:
            return Fault.MISSING
        self.entries += 1
        self.head = entry.hash
        self.expected |= self.head == self._expect
        return None


def digest(
    *,
    at: int,
    actor: str,
    action: str,
    subject: str,
    before: str,
    after: str,
    previous_hash: str,
) -> str:
    """The hash of an entry: SHA-256 of its fields as JSON, in hexadecimal digits.

    The id is none of them: it says where an entry stands, which the chain says itself.
    """
    content = {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "before": before,
        "after": after,
        "previous_hash": previous_hash,
    }
    return sha256(_canonical(content).encode("ascii")).hexdigest()


async def record(
    tx: Tx,
    action: str,
    subject: str,
    now: int,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> None:
    """Append an entry in the transaction of the action it tells of, as its last statement.

    *action* is the command's noun and verb, ``campaign.start``; *subject* what it was done to;
    *actor* is whoever acts in the transaction, unless somebody else asked for it. Phone numbers
    are masked; *before* and *after* are of the kinds JSON knows.
    """
    await tx.value("hold_audit_log")
    content: dict[str, Any] = {
        "at": now,
        "actor": _storable(mask(actor or tx.actor)),
        "action": action,
        "subject": _storable(mask(subject)),
        "before": _canonical(masked(before)),
        "after": _canonical(masked(after)),
        "previous_hash": await tx.value("audit_log_head") or ROOT,
    }
    await tx.run("add_audit_entry", **content, hash=digest(**content))


def length(text: str) -> str:
    """What the log keeps of an operator's own words, which nobody could take out again."""
    return f"{len(text)} characters"


async def listed(
    tx: Tx,
    *,
    since_at: int = 0,
    actor: str = "",
    action: str = "",
    subject: str = "",
    limit: int = 100,
) -> Sequence[Entry]:
    """Entries, newest first; an *action* may be its noun alone, a *subject* a number in clear."""
    rows = await tx.rows(
        "list_audit_log",
        since_at=since_at,
        actor=mask(actor),
        action=action,
        subject=mask(subject),
        limit=limit,
    )
    return [Entry.of(row) for row in rows]


async def find(tx: Tx, entry_id: int) -> Entry:
    """The entry of that id; raises NotFoundError."""
    row = await tx.row("audit_entry", entry_id=entry_id)
    if row is None:
        raise NotFoundError(
            f"there is no entry {entry_id} in the audit log", next_step="dialer audit-log list"
        )
    return Entry.of(row)


async def walk(tx: Tx) -> AsyncGenerator[Entry, None]:
    """Every entry, oldest first."""
    after_id = _BEFORE_ALL
    while rows := await tx.rows("audit_entries_after", after_id=after_id, limit=PAGE):
        for row in rows:
            yield Entry.of(row)
        after_id = rows[-1]["id"]


async def verify(tx: Tx, expect: str | None = None) -> Verdict:
    """Walk along the chain to its end, or to where it breaks.

    *expect* is a hash that was the head once: without it nobody can see that the last entries are
    gone.
    """
    chain = Chain(expect)
    async with aclosing(walk(tx)) as entries:
        async for entry in entries:
            fault = chain.add(entry)
            if fault is not None:
                broken = await _broken(tx, entry, fault)
                return Verdict(chain.entries, chain.head, broken, chain.expected)
    return Verdict(chain.entries, chain.head, None, chain.expected)


async def _broken(tx: Tx, entry: Entry, fault: Fault) -> Broken:
    if fault is Fault.MISSING:
        found = await tx.value("audit_entry_with_hash", hash=entry.previous_hash)
        if found is not None or entry.previous_hash == ROOT:
            return Broken(entry.id, Fault.MOVED, found)
    return Broken(entry.id, fault)


def _canonical(value: Any) -> str:
    """JSON that is the same wherever and whenever it is made; of ASCII alone, so that any database
    takes it.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _storable(text: str) -> str:
    """*text* as every database takes it: a file's name may hold bytes that are no characters."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
