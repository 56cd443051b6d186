"""Run by alembic: one transaction for all steps, on the connection that ``migrate.py`` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    transactional_ddl=True,  # both databases roll DDL back; alembic doubts it of SQLite
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
