"""The first schema: campaigns, members, attempts, the inbox, numbers, contacts, schedules.

Rules of every table: times are BIGINT UTC milliseconds, enums are TEXT with a CHECK, structured
values are JSON in TEXT, flags are nullable times. Partial indexes carry the claim and the sweeps,
so that they stay small however many contacts there are.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MEMBER_STATES = (
    "pending", "dialing", "called", "retry", "completed", "failed", "no_conversation",
)  # fmt: skip
ATTEMPT_STATES = ("intent", "unknown", "placed", "ended", "not_placed", "released")
CAMPAIGN_STATUSES = ("draft", "active", "paused", "completed", "cancelled")
OUTCOMES = (
    "human", "machine", "fax", "no_answer", "busy", "rejected", "invalid_number",
    "carrier_failed", "canceled", "not_placed",
)  # fmt: skip
STRATEGIES = ("round_robin", "lowest_spam", "least_used_today", "weighted")
AGENT_KINDS = ("message", "stream", "relay", "sip", "phone", "twiml_url")
AMD_MODES = ("carrier", "off")
ON_MACHINE = ("hang_up", "leave_message", "continue")
EVENT_SOURCES = ("status", "answer", "amd", "lookup")
CARRIER_STATUSES = (
    "queued", "initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "failed",
    "canceled",
)  # fmt: skip

BIG = sa.BigInteger()
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers INTEGER keys only


def _key() -> sa.Column[int]:
    return sa.Column("id", KEY, primary_key=True, autoincrement=True)


def _numbered_table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    """A table whose ids never come again, on SQLite either: of what was deleted the audit log and
    the plans of running daemons may still have the id.
    """
    op.create_table(name, *parts, sqlite_autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, KEY, sa.ForeignKey(f"{target}.id"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=nullable)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, server_default="0")


def _one_of(column: str, values: Sequence[str]) -> sa.CheckConstraint:
    # A chain of comparisons: for IN, SQLite builds a table of the values at every row it writes,
    # which costs more than the write.
    known = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(known, name=f"{column}_known")


def _index(name: str, table: str, columns: list[str], *, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    _operators_tables()
    _contacts_tables()
    _engine_tables()


def _operators_tables() -> None:
    _numbered_table(
        "agents",
        _key(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False, server_default="{}"),
        _time("created_at"),
        _one_of("kind", AGENT_KINDS),
    )
    _numbered_table(
        "schedules",
        _key(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        _time("created_at"),
    )
    _numbered_table(
        "numbers",
        _key(),
        sa.Column("phone", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("max_live", BIG),
        sa.Column("spam_score", sa.Double),
        sa.Column("spam_source", sa.Text),
        _time("spam_scored_at", nullable=True),
        _time("disabled_at", nullable=True),
        _count("calls_total"),
        _time("created_at"),
    )
    op.create_table(
        "number_days",
        sa.Column("number_id", KEY, sa.ForeignKey("numbers.id"), primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        _count("calls"),
    )
    _numbered_table(
        "campaigns",
        _key(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("status", sa.Text, nullable=False),
        _ref("agent_id", "agents"),
        _ref("schedule_id", "schedules", nullable=True),
        _time("start_at", nullable=True),
        sa.Column("notes", sa.Text, nullable=False, server_default=""),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("spam_threshold", sa.Double, nullable=False),
        sa.Column("max_calls_per_day", BIG, nullable=False),
        sa.Column("stay_on_number", BIG, nullable=False),
        sa.Column("call_interval_ms", BIG, nullable=False),
        sa.Column("max_concurrent", BIG, nullable=False),
        sa.Column("ring_timeout_s", BIG, nullable=False),
        sa.Column("amd", sa.Text, nullable=False),
        sa.Column("on_machine", sa.Text, nullable=False),
        sa.Column("max_retries", BIG, nullable=False),
        sa.Column("retry_intervals_s", sa.Text, nullable=False),
        sa.Column("retry_rules", sa.Text, nullable=False, server_default="{}"),
        sa.Column("completion_timeout_s", BIG, nullable=False),
        _count("next_slot_us"),
        sa.Column("revision", BIG, nullable=False, server_default="1"),
        sa.Column("pause_reason", sa.Text),
        _time("created_at"),
        _time("started_at", nullable=True),
        _time("paused_at", nullable=True),
        _time("ended_at", nullable=True),
        _one_of("status", CAMPAIGN_STATUSES),
        _one_of("strategy", STRATEGIES),
        _one_of("amd", AMD_MODES),
        _one_of("on_machine", ON_MACHINE),
    )
    op.create_table(
        "campaign_numbers",
        sa.Column("campaign_id", KEY, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("number_id", KEY, sa.ForeignKey("numbers.id"), primary_key=True),
        sa.Column("weight", BIG, nullable=False, server_default="1"),
        _count("last_turn"),
        _count("credit"),
        _time("last_used_at", nullable=True),
    )


def _contacts_tables() -> None:
    _numbered_table(
        "contacts",
        _key(),
        sa.Column("phone", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("email", sa.Text, nullable=False, server_default=""),
        sa.Column("zone", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("tags", sa.Text, nullable=False, server_default="[]"),
        sa.Column("variables", sa.Text, nullable=False, server_default="{}"),
        _time("created_at"),
        _time("changed_at"),
    )
    _numbered_table(
        "members",
        _key(),
        _ref("campaign_id", "campaigns"),
        _ref("contact_id", "contacts"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", BIG, nullable=False),
        _time("next_at"),
        sa.Column("window_key", sa.Text, nullable=False, server_default=""),
        _count("attempts"),
        _count("rejections"),
        _count("not_placed"),
        sa.Column("attempt_id", sa.Text),
        _ref("last_number_id", "numbers", nullable=True),
        sa.Column("last_outcome", sa.Text),
        sa.Column("reason", sa.Text),
        _time("created_at"),
        _time("changed_at"),
        sa.UniqueConstraint("campaign_id", "contact_id", name="members_once"),
        _one_of("state", MEMBER_STATES),
        _one_of("last_outcome", OUTCOMES),
    )
    _index(
        "members_due",
        "members",
        ["campaign_id", "window_key", "priority", "next_at", "id"],
        where="state IN ('pending', 'retry')",
    )
    _index("members_called", "members", ["next_at"], where="state = 'called'")
    _index("members_by_state", "members", ["campaign_id", "state"])
    _index("members_by_contact", "members", ["contact_id"])
    _numbered_table(
        "imports",
        _key(),
        _ref("campaign_id", "campaigns", nullable=True),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("mapping", sa.Text, nullable=False),
        _count("rows_read"),
        _count("added"),
        _count("updated"),
        _count("same"),
        _count("rejected"),
        _count("members_added"),
        _time("started_at"),
        _time("finished_at", nullable=True),
    )
    _index("imports_by_file", "imports", ["digest"])
    op.create_table(
        "import_rows",
        sa.Column("import_id", KEY, sa.ForeignKey("imports.id"), primary_key=True),
        sa.Column("row_number", BIG, primary_key=True, autoincrement=False),
        sa.Column("column_name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _engine_tables() -> None:
    _numbered_table(
        "daemons",
        _key(),
        sa.Column("name", sa.Text, nullable=False),
        _time("started_at"),
        _time("lease_until"),
        _time("ended_at", nullable=True),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text, primary_key=True),
        _ref("member_id", "members"),
        _ref("campaign_id", "campaigns"),
        _ref("number_id", "numbers"),
        _ref("owner", "daemons"),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        _time("intent_at"),
        _time("send_at"),
        _time("check_at"),
        _count("checks"),
        _time("taken_over_at", nullable=True),
        sa.Column("sid", sa.Text),
        sa.Column("status", sa.Text),
        _time("ringing_at", nullable=True),
        _time("answered_at", nullable=True),
        _time("ended_at", nullable=True),
        sa.Column("duration_s", BIG),
        sa.Column("sip_code", BIG),
        sa.Column("error_code", BIG),
        sa.Column("answered_by", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("detail", sa.Text),
        _time("closed_at", nullable=True),
        _one_of("state", ATTEMPT_STATES),
        _one_of("status", CARRIER_STATUSES),
        _one_of("outcome", OUTCOMES),
    )
    # Few attempts are open at any time: one small index answers who is being called, how many
    # calls are live for whom, and whose silence has become suspicious.
    _index(
        "attempts_open",
        "attempts",
        ["phone", "campaign_id", "number_id", "owner", "check_at"],
        where="closed_at IS NULL",
    )
    _index("attempts_by_member", "attempts", ["member_id"])
    op.create_table(
        "call_events",
        sa.Column("attempt_id", sa.Text, primary_key=True),
        sa.Column("news", sa.Text, primary_key=True),
        sa.Column("sid", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("status", sa.Text),
        sa.Column("sequence", BIG),
        _time("occurred_at", nullable=True),
        sa.Column("duration_s", BIG),
        sa.Column("sip_code", BIG),
        sa.Column("error_code", BIG),
        sa.Column("answered_by", sa.Text),
        _time("received_at"),
        _time("folded_at", nullable=True),
        sa.Column("verdict", sa.Text),
        _one_of("source", EVENT_SOURCES),
        sqlite_with_rowid=False,  # one tree to write instead of two
    )
    _index("call_events_unfolded", "call_events", ["received_at"], where="folded_at IS NULL")
    op.create_table(
        "campaign_waits",
        sa.Column("campaign_id", KEY, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("members", BIG, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        _time("until_at", nullable=True),
        _time("noted_at"),
    )
    lanes = op.create_table(
        "lanes", sa.Column("name", sa.Text, primary_key=True), _count("next_slot_us")
    )
    control = op.create_table(
        "control",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("revision", BIG, nullable=False),
    )
    op.bulk_insert(lanes, [{"name": "account", "next_slot_us": 0}])
    op.bulk_insert(control, [{"id": 1, "revision": 0}])


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup instead")
