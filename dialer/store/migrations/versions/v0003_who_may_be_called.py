"""Who may be called, when and why: places, rules, caps per callee, the audit log, erasure."""

import sqlalchemy as sa
from alembic import op

from dialer.places import place_of

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger()
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers INTEGER keys only

#: Contacts that are located with one statement.
AT_ONCE = 5_000

#: An entry of the audit log is what was true when it was written: nobody changes or deletes one.
SQLITE_APPEND_ONLY = """
CREATE TRIGGER audit_log_{event} BEFORE {event} ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""
#: An entry that takes the place of another is inserted, as SQLite sees it: so a new one follows the
#: newest, or 64 zeros. Which id it gets is known only when it is there.
SQLITE_NEXT_ONLY = (
    """CREATE TRIGGER audit_log_INSERT BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
      OR NEW.previous_hash <>
         coalesce((SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1), hex(zeroblob(32)))
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_log_INSERTED AFTER INSERT ON audit_log
    WHEN NEW.id < 1 OR NEW.id < (SELECT max(id) FROM audit_log)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
)
POSTGRES_APPEND_ONLY = (
    """CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
    """CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    EXECUTE FUNCTION audit_log_append_only()""",
    """CREATE FUNCTION audit_log_next_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
    IF NEW.id <= (SELECT coalesce(max(id), 0) FROM audit_log) OR NEW.previous_hash <>
       coalesce((SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1), repeat('0', 64))
    THEN RAISE EXCEPTION 'the audit log is append-only'; END IF;
    RETURN NEW; END $$""",
    """CREATE TRIGGER audit_log_next_only BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_next_only()""",
)


def upgrade() -> None:
    # Where a callee may be: regions and zones, as one key.
    op.add_column("contacts", sa.Column("place", sa.Text, nullable=False, server_default=""))
    op.add_column("campaigns", _with_default("callee_calls_per_day", 3))
    op.add_column("campaigns", _with_default("callee_calls_per_week", 7))
    # What a call was decided by, for whoever asks later.
    op.add_column("attempts", sa.Column("window_key", sa.Text, nullable=False, server_default=""))
    _locate_contacts()
    op.add_column("attempts", sa.Column("local_weekday", BIG))  # 0 is Monday
    op.add_column("attempts", sa.Column("local_hour", BIG))
    op.add_column("attempts", sa.Column("rule_set_id", KEY))
    op.create_table(
        "rule_sets",  # append-only; the newest is in force
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
    )
    op.create_table(
        "holiday_calendars",  # the operator's own
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
    )
    op.create_table(
        "erased_phones",  # keyed hashes: they are not called again, and nobody can read them
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("erased_at", BIG, nullable=False),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        guards = [SQLITE_APPEND_ONLY.format(event=event) for event in ("UPDATE", "DELETE")]
        guards += SQLITE_NEXT_ONLY
    else:
        guards = list(POSTGRES_APPEND_ONLY)
    for guard in guards:
        op.execute(guard)


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup instead")


def _locate_contacts() -> None:
    """Work out where the contacts of before may be; without that nobody would call them."""
    connection, last = op.get_bind(), 0
    query = "SELECT id, phone, zone FROM contacts WHERE id > :last ORDER BY id LIMIT :most"
    while rows := connection.execute(sa.text(query), {"last": last, "most": AT_ONCE}).all():
        last = rows[-1].id
        places = [{"id": row.id, "place": place_of(row.phone, row.zone).key} for row in rows]
        connection.execute(sa.text("UPDATE contacts SET place = :place WHERE id = :id"), places)
        connection.execute(
            sa.text("UPDATE members SET window_key = :place WHERE contact_id = :id"), places
        )
    connection.execute(
        sa.text(
            "UPDATE attempts SET window_key ="
            " (SELECT m.window_key FROM members m WHERE m.id = attempts.member_id)"
            " WHERE closed_at IS NULL"  # by this nothing was decided that is over
        )
    )


def _with_default(name: str, value: int) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, server_default=str(value))
