"""The job engine's schema (procrastinate), and the rights to use it.

Revision ID: 0002
The SQL is the engine's own, of the version pinned in requirements/. When
that pin moves, the engine's migration files become the next revision here.
"""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON
    procrastinate_workers, procrastinate_jobs, procrastinate_periodic_defers,
    procrastinate_events
    TO gateway_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO gateway_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO gateway_app;
"""


def upgrade() -> None:
    # The driver's own cursor: the script holds percent signs and colons that
    # a text clause would take for parameters.
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None
    connection.cursor().execute(SchemaManager.get_schema())
    op.execute(GRANTS)


def downgrade() -> None:
    raise NotImplementedError("jobs may be waiting; drop the schema by hand if you must")
