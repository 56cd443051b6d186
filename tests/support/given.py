"""The world as a test needs it: campaigns with numbers and members, written straight down."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from dialer import campaigns
from dialer.model import AmdMode, CampaignId
from dialer.places import place_of
from dialer.ports import Database, Tx
from dialer.states import CampaignEvent

FIRST_PHONE = 12_025_550_000
#: Where whoever has such a phone number may be.
WASHINGTON = place_of(f"+{FIRST_PHONE}").key
#: The rules of callees' places, switched off: a test that is not about them is called at any hour.
NO_RULES = json.dumps(
    {"pack": "", "changes": {"own": [], "off": {"US": "a test"}, "on": [], "made": 0}}
)
FIRST_NUMBER = 13_105_550_000


async def write(tx: Tx, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """Execute *statement* (parameters as ?1, ?2, …) for each row, on whichever database."""
    connection: Any = tx._connection  # type: ignore[attr-defined]  # tests may
    text = statement if tx.dialect == "sqlite" else statement.replace("?", "$")  # type: ignore[attr-defined]  # tests may
    await connection.executemany(text, [tuple(row) for row in rows])


async def read(tx: Tx, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query, as plain tuples, on whichever database."""
    connection: Any = tx._connection  # type: ignore[attr-defined]  # tests may
    if tx.dialect == "sqlite":  # type: ignore[attr-defined]  # tests may
        return [tuple(row) for row in await connection.execute_fetchall(statement)]
    return [tuple(row) for row in await connection.fetch(statement)]


async def given_numbers(tx: Tx, count: int, *, first_id: int = 1, zone: str = "UTC") -> list[int]:
    """*count* active caller ids; returns their ids."""
    ids = list(range(first_id, first_id + count))
    await write(
        tx,
        "INSERT INTO numbers (id, phone, zone, created_at) VALUES (?1, ?2, ?3, 0)",
        [(i, f"+{FIRST_NUMBER + i}", zone) for i in ids],
    )
    return ids


async def given_members(
    tx: Tx, campaign_id: int, count: int, *, now: int = 0, first: int = 1, priority: int = 1
) -> None:
    """*count* contacts (ids from *first*, phones from FIRST_PHONE + id) as pending members."""
    ids = range(first, first + count)
    await write(
        tx,
        "INSERT INTO contacts (id, phone, name, place, created_at, changed_at)"
        " VALUES (?1, ?2, ?3, ?4, 0, 0) ON CONFLICT (id) DO NOTHING",
        [(i, f"+{FIRST_PHONE + i}", f"Contact {i}", WASHINGTON) for i in ids],
    )
    await write(
        tx,
        "INSERT INTO members (campaign_id, contact_id, window_key, state, priority, next_at,"
        " created_at, changed_at) VALUES (?1, ?2, ?3, 'pending', ?4, ?5, 0, 0)",
        [(campaign_id, i, WASHINGTON, priority, now) for i in ids],
    )


async def given_campaign(
    database: Database,
    *,
    now: int,
    contacts: int = 0,
    numbers: int = 1,
    name: str = "Renewals",
    number_ids: Sequence[int] = (),
    first_contact: int = 1,
    schedule_body: str | None = None,
    start: bool = True,
    rules: str | None = NO_RULES,
    **fields: Any,
) -> CampaignId:
    """A campaign with pending members and caller ids of its own, started unless told otherwise.

    The carrier detects machines in it, unless told otherwise.
    """
    async with database.write() as tx:
        if rules is not None:
            await write(
                tx,
                "INSERT INTO rule_sets (body, created_at)"
                " SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM rule_sets)",
                [(rules,)],
            )
        await write(
            tx,
            "INSERT INTO agents (name, kind, target, created_at) VALUES (?1, 'message', ?2, 0)",
            [(name, "Hello {{name}}")],
        )
        agent_id = (await read(tx, "SELECT max(id) FROM agents"))[0][0]
        schedule_id = None
        if schedule_body is not None:
            await write(
                tx,
                "INSERT INTO schedules (name, body, created_at) VALUES (?1, ?2, 0)",
                [(name, schedule_body)],
            )
            schedule_id = (await read(tx, "SELECT max(id) FROM schedules"))[0][0]
        ids = list(number_ids) or await given_numbers(tx, numbers)
        new = campaigns.NewCampaign(
            name=name,
            agent_id=agent_id,
            numbers=[(number_id, 1) for number_id in ids],
            schedule_id=schedule_id,
            **{"amd": AmdMode.CARRIER, **fields},
        )
        campaign_id = await campaigns.create(tx, new, now)
        await given_members(tx, campaign_id, contacts, now=now, first=first_contact)
        if start:
            await campaigns.move(tx, name, CampaignEvent.START, now)
    return campaign_id
