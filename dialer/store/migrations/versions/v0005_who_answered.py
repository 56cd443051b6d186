"""Who picked up: modes of detection, verdicts of our own, the proof that a message was left."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger()

AMD_MODES = ("text", "ml", "fused", "carrier", "off")
EVENT_SOURCES = ("status", "answer", "amd", "lookup", "detector", "left")
VERDICTS = ("human", "machine", "fax", "unknown")
MACHINE_KINDS = ("voicemail", "ivr", "screening", "unavailable")
DETECTORS = ("text", "audio", "tone", "carrier", "deadline")
#: As the first schema has them.
_OLD_AMD_MODES = ("carrier", "off")
_OLD_EVENT_SOURCES = ("status", "answer", "amd", "lookup")


def upgrade() -> None:
    _admit("campaigns", "amd", _OLD_AMD_MODES, AMD_MODES)
    _admit("call_events", "source", _OLD_EVENT_SOURCES, EVENT_SOURCES)
    # Modes that judge the same calls and never act: a JSON list.
    op.add_column(
        "campaigns", sa.Column("amd_shadow", sa.Text, nullable=False, server_default="[]")
    )
    # What our own detection made of the call; the carrier's word stays in answered_by.
    _add_known("attempts", "verdict", VERDICTS)
    op.add_column("attempts", sa.Column("verdict_seq", BIG))
    _add_known("attempts", "machine_kind", MACHINE_KINDS)
    op.add_column("attempts", sa.Column("message_left_at", BIG))
    # What was heard, cut down to what tells the same announcement again.
    op.add_column("attempts", sa.Column("said", sa.Text, nullable=False, server_default=""))
    # What somebody says it was who has listened.
    _add_known("attempts", "label", VERDICTS)
    op.create_table(
        "amd_verdicts",
        sa.Column("attempt_id", sa.Text, primary_key=True),
        sa.Column("mode", sa.Text, primary_key=True),
        sa.Column("seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("acting", BIG, nullable=False),  # 0: a shadow
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("kind", sa.Text),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("at_ms", BIG, nullable=False),  # of media since the answer
        sa.Column("detector", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_at", BIG, nullable=False),
        sa.CheckConstraint(_known("mode", AMD_MODES), name="mode_known"),
        sa.CheckConstraint(_known("verdict", VERDICTS), name="verdict_known"),
        sa.CheckConstraint(_known("kind", MACHINE_KINDS), name="kind_known"),
        sa.CheckConstraint(_known("detector", DETECTORS), name="detector_known"),
        sqlite_with_rowid=False,  # one tree to write instead of two
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup instead")


def _known(column: str, values: Sequence[str]) -> str:
    return " OR ".join(f"{column} = '{value}'" for value in values)


def _add_known(table: str, column: str, values: Sequence[str]) -> None:
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} TEXT"
        f" CONSTRAINT {column}_known CHECK ({_known(column, values)})"
    )


def _admit(table: str, column: str, before: Sequence[str], after: Sequence[str]) -> None:
    """Let *column* take further values."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(table, _known(column, before), _known(column, after))
        return
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {column}_known")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {column}_known CHECK ({_known(column, after)})")


def _rebuild(table: str, check: str, wanted: str) -> None:
    """Copy a table under another check: SQLite cannot exchange one.

    What refers to the table goes by its name, which it has again; its ids do not come again.
    """
    made, *indexes = (
        op.get_bind()
        .execute(
            sa.text(
                "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
                " ORDER BY type = 'table' DESC"
            ),
            {"table": table},
        )
        .scalars()
    )
    assert check in made, f"{table} is as the first schema made it"
    copy, body = f"{table}_rebuilt", made.partition("(")[2].replace(check, wanted)
    op.execute(sa.text(f"CREATE TABLE {copy} ({body}".replace(":", "\\:")))
    op.execute(f"INSERT INTO {copy} SELECT * FROM {table}")  # noqa: S608  our own names
    if "AUTOINCREMENT" in made:
        op.execute(f"DELETE FROM sqlite_sequence WHERE name = '{copy}'")  # noqa: S608  likewise
        op.execute(
            f"INSERT INTO sqlite_sequence SELECT '{copy}', seq"  # noqa: S608  likewise
            f" FROM sqlite_sequence WHERE name = '{table}'"
        )
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE {copy} RENAME TO {table}")
    for index in indexes:
        op.execute(index)
