"""Erasing a person: nothing of a phone number stays readable, and statistics stay true.

Theory of operation. One transaction puts a pseudonym in place of the number wherever it is a key,
empties what else was known of its contact, fails the members that wait for a call and keeps a
keyed hash (:mod:`dialer.erased`). From then on nobody calls the number or brings it in. The
pseudonym is on the do-not-call list, so that whatever may ever queue such a member again, its
claim fails. Then every text in which the number may have been written is looked through, and at
last the store wipes what deleted rows leave behind. Names, and whatever else would mean another
thing if it were changed, are told of instead. Each step may be repeated without harm: an erasure
that was cut short is finished by asking for it again.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from dialer import audit_log
from dialer.calls import PRE_DIAL_CHECK
from dialer.do_not_call import EVERYWHERE, Source
from dialer.erased import PhoneKey, check_mark
from dialer.errors import WrongStateError
from dialer.masking import MARKS, MOST_MARKS, WIDE_MARKS
from dialer.phones import country_and_rest
from dialer.ports import Clock, Database, Row, Tx

#: Stands where a number was mentioned.
GONE: Final = "[erased]"
_BETWEEN: Final = rf"[{MARKS}{WIDE_MARKS}]{{0,{MOST_MARKS}}}"
#: The same in UTF-8, byte by byte.
_WIDE_BYTES: Final = r"\xc2\xa0|\xe2\x80[\x80-\x8a\x90-\x95\xaf]|\xe2\x88\x92"
_BETWEEN_BYTES: Final = rf"(?:[{MARKS}]|{_WIDE_BYTES}){{0,{MOST_MARKS}}}"
#: National numbers as short as this may be a part of somebody else's.
_SHORT: Final = 8
#: Texts changed in one transaction.
_PORTION: Final = 200
#: So often texts are looked through while others write the number into them.
_ROUNDS: Final = 5
#: Of what the pre-dial check answered, so much is ours; the rest is in an operator's own words.
_CHECKED: Final = re.compile(rf"(.*?{PRE_DIAL_CHECK}).*", re.DOTALL)
#: The texts that are looked through, and the queries that change them.
_DETAIL: Final = "attempt_detail"
_CALENDAR: Final = "calendar_labels"
_RULES: Final = "rule_notes"
_MENDS: Final[Mapping[str, str]] = {
    "contact_name": "mend_contact_name",
    "contact_email": "mend_contact_email",
    "contact_tags": "mend_contact_tags",
    "contact_variables": "mend_contact_variables",
    "dnc_note": "mend_dnc_note",
    "dnc_detail": "mend_dnc_detail",
    "import_value": "mend_import_value",
    "import_name": "mend_import_name",
    "import_column": "mend_import_column",
    "import_mapping": "mend_import_mapping",
    "campaign_notes": "mend_campaign_notes",
    "campaign_reason": "mend_campaign_reason",
    "hold_reason": "mend_hold_reason",
    "export_path": "mend_export_path",
    "import_options": "mend_import_options",
    "import_report": "mend_import_report",
    "job_subject": "mend_job_subject",
    "job_message": "mend_job_message",
    "campaign_wait": "mend_campaign_wait",
    _CALENDAR: "mend_calendar_labels",
    _RULES: "mend_rule_notes",
    _DETAIL: "mend_attempt_detail",
}
#: The action in the audit log.
ERASE: Final = "privacy.erase"


@dataclass(frozen=True, slots=True)
class Found:
    """What there is, or was, of a number."""

    erased_at: int | None = None  # UTC ms, of an earlier erasure
    contacts: int = 0
    members: int = 0
    members_waiting: int = 0
    attempts: int = 0
    dnc_entries: int = 0
    dnc_history: int = 0
    own_number: bool = False  # it is one of our caller ids, which is not erased


@dataclass(frozen=True, slots=True)
class Wiped:
    """What the store could do about the remains of deleted rows."""

    compacted: bool  # the space of deleted rows holds nothing any more, as far as we can see to it
    remains: Sequence[str] = ()  # files of ours that still hold the number
    elsewhere: Sequence[str] = ()  # other files beside the database that do


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that holds the number and is not ours to change, as in ``campaign 1's name``."""

    kind: str
    id: str
    column: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}'s {self.column}"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure has done."""

    pseudonym: str
    found: Found
    mentions: int
    kept: Sequence[Kept]
    alike: bool  # a number that stays has its digits: a caller id of ours, or somebody else's
    wiped: Wiped

    @property
    def complete(self) -> bool:
        """Whether nothing of the person is left in the database."""
        return not self.kept and self.wiped.compacted and not self.traces

    @property
    def traces(self) -> Sequence[str]:
        """Files that hold the number where nothing that is stored explains it."""
        return () if self.kept or self.alike else self.wiped.remains


#: Wipes the store of what matches a pattern.
Wipe = Callable[[re.Pattern[bytes]], Awaitable[Wiped]]


async def look(tx: Tx, phone: str, key: PhoneKey | None) -> Found:
    """What an erasure of E.164 *phone* would find; without a *key* nobody was erased so far.

    Raises WrongStateError when earlier erasures were made under another key.
    """
    if key is not None and await tx.value("any_erased") is not None:
        check_mark(key, [row["hash"] for row in await _hashes(tx, key.mark)])
    attempts = await tx.rows("hold_attempts_at", phone=phone)
    members = await tx.rows("hold_members_of", phone=phone)
    return Found(
        erased_at=None if key is None else await _erased_at(tx, phone, key),
        contacts=int(await tx.row("contact_by_phone", phone=phone) is not None),
        members=len(members),
        members_waiting=sum(row["state"] in ("pending", "retry") for row in members),
        attempts=len(attempts),
        dnc_entries=len(await tx.rows("dnc_of", phone=phone)),
        dnc_history=len(await tx.rows("dnc_history_of", phone=phone)),
        own_number=await tx.value("own_number", phone=phone) is not None,
    )


async def erase(database: Database, clock: Clock, phone: str, key: PhoneKey, wipe: Wipe) -> Erased:
    """Erase E.164 *phone*; one that nobody knew is kept out from now on all the same.

    Raises WrongStateError, with nothing done, while the number is being called, or when earlier
    erasures were made under another key.
    """
    async with database.write() as tx:
        pseudonym, found = await _replace(tx, phone, key, clock.now())
    mentions = await _mend_mentions(database, phone)
    kept = await _kept(database, phone)
    alike = await _alike(database, phone)
    return Erased(pseudonym, found, mentions, kept, alike, await wipe(Mention(phone).in_bytes))


async def files_written(database: Database) -> Sequence[Path]:
    """The files that rejected rows and exports were written to, wherever they lie, if at all."""
    async with database.read() as tx:
        paths = [Path(row["path"]) for row in await tx.rows("files_written")]
    return [path for path in paths if path.is_absolute()]  # standard output is no file


class Mention:
    """A number as it may stand in a text, with its country or without, written in any way."""

    def __init__(self, phone: str) -> None:
        country, rest = country_and_rest(phone)
        # In one piece it is found inside of other digits, too: in a file, where a field may begin
        # as another one ends, nobody could tell the difference.
        self.plain: Final = country + rest if len(rest) <= _SHORT else rest
        self._text: Final = re.compile(f"{_written(country, rest, _BETWEEN)}|{self.plain}")
        #: For a first look by LIKE: the digits in their order.
        self.like: Final = f"%{'%'.join(rest)}%"
        #: For files.
        self.in_bytes: Final = re.compile(
            f"{_written(country, rest, _BETWEEN_BYTES)}|{self.plain}".encode("latin-1")
        )

    def __call__(self, text: str) -> bool:
        """Whether *text* has the number."""
        return self._text.search(text) is not None

    def replaced(self, text: str) -> str:
        """*text* without the number."""
        return self._text.sub(GONE, text)


def _written(country: str, rest: str, between: str) -> str:
    """The pattern of a number: its country, if that is told, or the trunk prefix before the area,
    0 in most countries and 8 in Russia and around it; the rest.
    """
    apart = range(MOST_MARKS + 1 if len(rest) <= _SHORT else 1)
    alone = "".join(rf"(?<!\d{f'[{MARKS}]' * width})" for width in apart)
    abroad = rf"(?:(?:\+|00|011{between})?\(?{between.join(country)}{between})?"
    return rf"{alone}\+?\(?{abroad}(?:[08]{between})?{between.join(rest)}(?!\d)"


async def _replace(tx: Tx, phone: str, key: PhoneKey, now: int) -> tuple[str, Found]:
    """Put a pseudonym in place of the number; all of it happens, or nothing."""
    await tx.value("hold_contacts")
    mention = Mention(phone)
    attempts = await tx.rows("hold_attempts_at", phone=phone)
    found = await look(tx, phone, key)
    await _refuse_calls(tx, phone)
    pseudonym = await _free_pseudonym(tx, phone, key)
    await tx.run("fail_listed", phones=json.dumps([phone]), scope=EVERYWHERE, now=now)
    await tx.many(
        "erase_attempts",
        [
            {"id": row["id"], "pseudonym": pseudonym,
             "detail": row["detail"] and mention.replaced(_ours(row["detail"]))}
            for row in attempts
        ],
    )  # fmt: skip
    await tx.run("erase_contact", phone=phone, pseudonym=pseudonym, now=now)
    await tx.run("erase_found_calls", phone=phone)
    await tx.run("erase_dnc", phone=phone)
    await tx.run("erase_dnc_history", phone=phone, pseudonym=pseudonym)
    if found.contacts:
        listed = {"phone": pseudonym, "campaign_id": None, "source": Source.OPERATOR.value,
                  "note": "", "now": now}  # fmt: skip
        await tx.many("add_dnc", [listed])
    hashes = [{"hash": each, "now": now} for each in (key.mark, key.hash(phone))]
    await tx.many("add_erased", hashes)
    done = {name: getattr(found, name) for name in ("contacts", "members", "attempts")}
    await audit_log.record(tx, ERASE, pseudonym, now, after=done)
    return pseudonym, found


async def _refuse_calls(tx: Tx, phone: str) -> None:
    calls = await tx.rows("calls_in_progress", phone=phone)
    if calls:
        call = calls[0]
        name = f"{call['sid']}, attempt {call['id']}" if call["sid"] else f"attempt {call['id']}"
        raise WrongStateError(
            f"{phone} is being called for campaign {call['campaign']!r} ({name}): what the carrier"
            " will say about it could not be placed any more",
            next_step=f"when the call is over: dialer erase {phone}",
        )


async def _free_pseudonym(tx: Tx, phone: str, key: PhoneKey) -> str:
    """The number's pseudonym; numbered, should a contact of an earlier erasure have it."""
    first = key.pseudonym(phone)
    if await tx.row("contact_by_phone", phone=phone) is None:
        return first
    for number in count(2):
        if await tx.row("contact_by_phone", phone=first) is None:
            break
        first = f"{key.pseudonym(phone)}-{number}"
    return first


async def _erased_at(tx: Tx, phone: str, key: PhoneKey) -> int | None:
    rows = await _hashes(tx, key.hash(phone))
    return int(rows[0]["erased_at"]) if rows else None


async def _hashes(tx: Tx, one: str) -> Sequence[Row]:
    return await tx.rows("erased_among", hashes=json.dumps([one]))


def _ours(detail: str) -> str:
    """What stays of an attempt's detail: what an operator's own check says may tell of a person."""
    return _CHECKED.sub(r"\1", detail)


async def _mend_mentions(database: Database, phone: str) -> int:
    """Take the number out of every text; returns how many texts held it.

    A text that somebody else changes meanwhile is looked at again.
    """
    held = set[tuple[Any, ...]]()
    for _ in range(_ROUNDS):
        changes = await _mentions(database, Mention(phone))
        if not changes:
            break
        held.update((what, change["id"], change.get("part")) for what, change in changes)
        for portion in _portions(changes):
            async with database.write() as tx:
                for what in dict.fromkeys(what for what, _ in portion):
                    await tx.many(_MENDS[what], [change for of, change in portion if of == what])
    return len(held)


async def _mentions(database: Database, mention: Mention) -> list[tuple[str, dict[str, Any]]]:
    """Every text that has the number and may be changed: what it is, its key, it without."""
    async with database.read() as tx:
        rows = await tx.rows("mentions", digits=mention.like)
        details = await tx.rows("mentions_in_attempts", digits=mention.like)
    return [
        (what, {**keys, "said": said, "mended": mended})
        for what, keys, said in [*map(_text, rows), *map(_detail, details)]
        if (mended := _mended(what, said, mention)) != said
    ]


async def _kept(database: Database, phone: str) -> Sequence[Kept]:
    """Every text that still has the number, be it not ours to change or changed all the time."""
    mention = Mention(phone)
    async with database.read() as tx:
        rows = await tx.rows("fixed_mentions", digits=mention.like)
    fixed = [Kept(row["kind"], str(row["id"]), row["part"]) for row in rows if mention(row["said"])]
    rest = await _mentions(database, mention)
    return [*fixed, *(Kept("row", str(keys["id"]), what.replace("_", " ")) for what, keys in rest)]


async def _alike(database: Database, phone: str) -> bool:
    """Whether a number that stays, our own caller id or somebody else's, has the same digits."""
    async with database.read() as tx:
        return await tx.value("number_with", digits=f"%{Mention(phone).plain}%") is not None


def _mended(what: str, said: str, mention: Mention) -> str:
    """A text without the number; of rules and calendars their notes and labels alone."""
    if what not in _INSIDE:
        return mention.replaced(said)
    body = json.loads(said)
    places = [(holder, key) for holder, key in _INSIDE[what](body) if mention(holder[key])]
    for holder, key in places:
        holder[key] = mention.replaced(holder[key])
    return json.dumps(body) if places else said


def _notes(body: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], str]]:
    """Where a stored rule set has an operator's words."""
    changes = body.get("changes", {})
    yield from ((rule, "note") for rule in changes.get("own", ()))
    yield from ((changes["off"], rule_id) for rule_id in changes.get("off", ()))


def _labels(body: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], str]]:
    """Where a stored calendar has them."""
    yield from ((body["days"], day) for day in body.get("days", ()))


_INSIDE: Final[Mapping[str, Callable[[Any], Iterator[tuple[dict[str, str], str]]]]] = {
    _RULES: _notes,
    _CALENDAR: _labels,
}


def _text(row: Row) -> tuple[str, dict[str, Any], str]:
    keys = {"id": row["id"]} | ({"part": row["part"]} if row["part"] else {})
    return row["what"], keys, row["said"]


def _detail(row: Row) -> tuple[str, dict[str, Any], str]:
    return _DETAIL, {"id": row["id"]}, row["said"]


def _portions(
    changes: Sequence[tuple[str, dict[str, Any]]],
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    rest = iter(changes)
    while portion := list(islice(rest, _PORTION)):
        yield portion
