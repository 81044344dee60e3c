"""What the role may not read of the tables that a mapping names, with the SQL that a DBA runs.

Asked before the mapping is run, because the server's own answer names one table at a time and no remedy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import AsyncConnection, sql

from connector.changes import TableName
from connector.errors import Problem

_MAY = """
SELECT n.nspname, c.relname, current_user::text, has_schema_privilege(n.oid, 'USAGE'),
  has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
ORDER BY 1, 2
"""


async def privilege_problems(connection: AsyncConnection[Any], tables: Iterable[TableName]) -> list[Problem]:
    """One problem for all schemas and one for all tables that the role may not use. Raises psycopg.Error."""
    names = sorted(set(tables))
    asked = [[name.schema for name in names], [name.name for name in names]]
    rows = await (await connection.execute(_MAY, asked)).fetchall()
    schemas = sorted({schema for schema, _, _, usage, _ in rows if not usage})
    unread = [TableName(schema, name) for schema, name, _, _, select in rows if not select]
    role = rows[0][2] if rows else ""
    problems = []
    if schemas:
        listed = ", ".join(sql.Identifier(schema).as_string() for schema in schemas)
        problems.append(_denied(role, f"use schema {', '.join(schemas)}", f"USAGE ON SCHEMA {listed}"))
    if unread:
        listed = ", ".join(sql.Identifier(name.schema, name.name).as_string() for name in unread)
        problems.append(_denied(role, f"read {', '.join(map(str, unread))}", f"SELECT ON {listed}"))
    return problems


def _denied(role: str, what: str, privilege: str) -> Problem:
    hint = f"let a DBA run: GRANT {privilege} TO {sql.Identifier(role).as_string()};"
    return Problem(f"role {role} may not {what}", hint, "source.dsn")
