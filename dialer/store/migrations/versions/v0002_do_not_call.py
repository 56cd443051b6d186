"""Who must not be called, by whom and when that was said, and what was refused because of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger()
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers INTEGER keys only


def upgrade() -> None:
    op.create_table(
        "dnc",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("phone", sa.Text, nullable=False),
        # NULL: in no campaign whatever.
        sa.Column("campaign_id", KEY, sa.ForeignKey("campaigns.id")),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", BIG, nullable=False),
        sa.CheckConstraint(
            "source = 'operator' OR source = 'file' OR source = 'callee'", name="source_known"
        ),
    )
    # One entry of a phone per campaign, and one for all; also the index the claim asks by.
    op.create_index("dnc_once", "dnc", ["phone", sa.text("coalesce(campaign_id, 0)")], unique=True)
    op.create_index("dnc_by_campaign", "dnc", ["campaign_id"])
    op.create_table(
        "dnc_history",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("campaign_id", KEY, sa.ForeignKey("campaigns.id")),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("at", BIG, nullable=False),
        sa.CheckConstraint(
            "event = 'added' OR event = 'removed' OR event = 'refused' OR event = 'inbound'",
            name="event_known",
        ),
    )
    op.create_index("dnc_history_by_phone", "dnc_history", ["phone"])


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup instead")
