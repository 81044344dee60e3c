"""Brings a schema to this version, and refuses schemas that are not ours or are newer.

The mark of ownership and the version are the row of `store`.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection, sql

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres.connection import StoreConnection, describe
from connector.checkpoints.postgres.session import PostgresSession
from connector.checkpoints.statements import script, tables
from connector.model.errors import ConfigurationError, Problem

SCHEMA: Final = tables("schema.sql", "postgres") + tables("requests.sql", "postgres") + script("schema_postgres.sql")
UPGRADES: Final = (tables("upgrade_2.sql", "postgres") + script("upgrade_2_postgres.sql"),)
"""From each version to the next, the first from 1 to 2. SCHEMA is what they lead to."""

_PROGRAM: Final = "redo-connector"

# By the catalog, because there may be no such table. Not ours: another program's `store` has no such columns.
_SCHEMA: Final = "SELECT oid FROM pg_namespace WHERE nspname = %s"
_TABLES: Final = """
SELECT count(*), count(*) FILTER (WHERE relname = 'store' AND (SELECT count(*) FROM pg_attribute
  WHERE attrelid = pg_class.oid AND attname IN ('one', 'program', 'version') AND NOT attisdropped) = 3)
FROM pg_class WHERE relnamespace = %s AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""


def newest() -> int:
    """The version of SCHEMA."""
    return len(UPGRADES) + 1


def version_of(connection: Connection[Any], address: Address) -> int | None:
    """The schema's version, 0 for an empty schema, None where there is none. Raises ConfigurationError when it is not
    ours or newer than us, and psycopg.Error."""
    row = connection.execute(_SCHEMA, (address.schema,)).fetchone()
    if row is None:
        return None
    counts = connection.execute(_TABLES, row).fetchone()
    tables, marks = counts or (0, 0)
    if not tables:
        return 0
    found = connection.execute("SELECT program, version FROM store").fetchone() if marks else None
    if found is None or found[0] != _PROGRAM:
        what = f"the schema {address.schema} holds tables, but is not a checkpoint store"
        raise ConfigurationError([Problem(what, "name another schema: checkpoints.postgres_schema", SETTING)])
    if found[1] > newest():
        what = (
            f"{describe(address)} was written by a newer redo-connector (schema {found[1]}, this one knows {newest()})"
        )
        hint = "run that newer version, or name another schema: checkpoints.postgres_schema"
        raise ConfigurationError([Problem(what, hint, SETTING)])
    return int(found[1])


def migrate(connection: StoreConnection, address: Address) -> None:
    """Make the schema where there is none, and apply the upgrades that are missing, each in its own transaction, which
    may take as long as it takes. Under the writer's lock. Raises ConfigurationError as `version_of` does, and
    psycopg.Error."""
    version = version_of(connection, address)
    if version is None:
        # Not IF NOT EXISTS: that needs the privilege even where the schema exists.
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(address.schema)))
    missing = enumerate(UPGRADES[version - 1 :], start=version + 1) if version else [(newest(), SCHEMA)]
    for number, statements in missing:
        with connection.transaction(), PostgresSession(connection).at_length():
            connection.execute(statements.encode())
            connection.execute("DELETE FROM store")
            connection.execute("INSERT INTO store (program, version) VALUES (%s, %s)", (_PROGRAM, number))
