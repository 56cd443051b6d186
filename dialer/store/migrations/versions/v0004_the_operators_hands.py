"""What operators work with: jobs, resumable imports, exports, the hold, archived campaigns."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger()
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers INTEGER keys only

JOB_KINDS = ("import", "export", "backup")
JOB_STATES = ("running", "done", "failed", "cancelled")
IMPORT_STATES = ("running", "done", "undone")


def upgrade() -> None:
    # Long work, by whatever process: how far it is, and whether its worker is still there.
    op.create_table(
        "jobs",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),  # the file it reads or writes
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),  # HOST:PID
        sa.Column("done", BIG, nullable=False, server_default="0"),
        sa.Column("total", BIG),  # in the unit of done; NULL: not known
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("beat_at", BIG, nullable=False),  # last sign of life
        sa.Column("ended_at", BIG),
        sa.Column("cancel_at", BIG),  # somebody has asked for its end
        sa.Column("message", sa.Text, nullable=False, server_default=""),  # how it ended, in words
        _one_of("kind", JOB_KINDS),
        _one_of("state", JOB_STATES),
    )
    # An import goes on where it was cut short: this is committed with the rows of each portion.
    for column in (
        sa.Column("job_id", KEY),
        sa.Column("state", sa.Text, nullable=False, server_default="done"),
        sa.Column("file_size", BIG, nullable=False, server_default="0"),
        sa.Column("options", sa.Text, nullable=False, server_default="{}"),
        sa.Column("next_offset", BIG, nullable=False, server_default="0"),  # bytes, between rows
        sa.Column("next_row", BIG, nullable=False, server_default="0"),
        sa.Column("report_path", sa.Text, nullable=False, server_default=""),
        sa.Column("report_size", BIG, nullable=False, server_default="0"),  # bytes that are true
        sa.Column("undone_at", BIG),
        sa.Column("elsewhere", BIG, nullable=False, server_default="0"),  # in another campaign too
    ):
        op.add_column("imports", column)
    # Who was brought in by which import, so that it can be undone and its calls be told apart.
    op.add_column("contacts", sa.Column("import_id", KEY))
    op.add_column("members", sa.Column("import_id", KEY))
    op.create_table(
        "exports",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("job_id", KEY),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("campaign_id", KEY),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False, server_default="{}"),
        sa.Column("rows_written", BIG, nullable=False, server_default="0"),
        sa.Column("bytes", BIG, nullable=False, server_default="0"),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("finished_at", BIG),
    )
    op.add_column("campaigns", sa.Column("archived_at", BIG))
    op.add_column("campaigns", sa.Column("paused_by", sa.Text))
    op.add_column("campaigns", sa.Column("hang_up_at", BIG))  # its calls are ended while paused
    op.add_column("campaigns", sa.Column("labels", sa.Text, nullable=False, server_default="[]"))
    # The hold: nobody is called while it stands, whatever campaign they are in.
    op.add_column("control", sa.Column("held_at", BIG))
    op.add_column("control", sa.Column("held_by", sa.Text))
    op.add_column("control", sa.Column("hold_reason", sa.Text))
    op.add_column("control", sa.Column("hang_up_at", BIG))  # while held all calls are ended
    op.add_column("attempts", sa.Column("hang_up_at", BIG))  # this call alone is to be ended
    # After a restore: since when the carrier's calls may be unknown, and when it was asked.
    op.add_column("control", sa.Column("reconcile_since_at", BIG))
    op.add_column("control", sa.Column("reconciled_at", BIG))
    # And the calls among them that belong to nobody here, so that whoever had one may rest.
    op.create_table(
        "found_calls",
        sa.Column("sid", sa.Text, primary_key=True),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("placed_at", BIG, nullable=False),
    )
    op.create_index("found_calls_by_phone", "found_calls", ["phone", "placed_at"])
    op.add_column("daemons", sa.Column("version", sa.Text, nullable=False, server_default=""))
    op.add_column("daemons", sa.Column("pid", BIG))
    op.add_column("daemons", sa.Column("host", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup instead")


def _one_of(column: str, values: Sequence[str]) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        " OR ".join(f"{column} = '{value}'" for value in values), name=f"{column}_known"
    )
