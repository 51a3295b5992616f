"""Alembic's entry point. The connection comes from receiver.storage.migrate, which owns the lock around it."""

from alembic import context

connection = context.config.attributes["connection"]
# Each migration commits by itself: MySQL cannot roll DDL back, so a failed one must not undo the record of the others.
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
