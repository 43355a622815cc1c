"""Bring a database to the newest revision.

One migrator at a time (an advisory lock); starting several processes at once
is safe. The connection must belong to the owner of the schema, which the
running services never do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_KEY = 7_301_926


def sqlalchemy_url(database_url: str) -> str:
    """Name the psycopg 3 driver in a ``postgresql://`` URL."""
    _, _, rest = database_url.partition("://")
    return f"postgresql+psycopg://{rest}"


def migrate(database_url: str) -> str:
    """Run every revision the database lacks; return the revision it is at.

    Args:
        database_url: a ``postgresql://`` URL of the schema's owner.
    """
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
        connection.commit()
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            row = connection.execute(text("SELECT version_num FROM alembic_version")).one()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
            connection.commit()
    engine.dispose()
    return str(row[0])
