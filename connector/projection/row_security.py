"""Row-level security: whether policies hide rows from the reading role.

A hidden order is missing at Redo without a word, so a table of which no policy shows a row is refused, and one whose
policies show only some is told. https://www.postgresql.org/docs/current/ddl-rowsecurity.html. Reads the catalog only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from psycopg import AsyncConnection, sql

from connector.changes import TableName
from connector.errors import Problem

# A row shows when some permissive policy shows it and all restrictive ones do; without any permissive one, none shows.
_HIDING = """
SELECT n.nspname, c.relname, current_user::text,
  coalesce(bool_or(polpermissive), false) AS shows,
  coalesce(bool_or(polpermissive AND whole), false) AND NOT coalesce(bool_or(NOT polpermissive AND NOT whole), false)
    AS shows_all
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
LEFT JOIN LATERAL (
  SELECT polpermissive, coalesce(pg_get_expr(polqual, polrelid) = 'true', true) AS whole FROM pg_policy
  WHERE polrelid = c.oid AND polcmd IN ('r', '*')
    AND EXISTS (SELECT FROM unnest(polroles) AS r(oid) WHERE r.oid = 0 OR pg_has_role(r.oid, 'USAGE'))) p ON true
WHERE row_security_active(c.oid)
GROUP BY 1, 2, 3 ORDER BY 1, 2
"""


async def row_security_problems(connection: AsyncConnection[Any], tables: Collection[TableName]) -> list[Problem]:
    """Of tables that the role reads itself; views read with their owner's rights. Raises psycopg.Error."""
    names = sorted(tables)
    asked = [[name.schema for name in names], [name.name for name in names]]
    problems = []
    for schema, table, role, shows, shows_all in await (await connection.execute(_HIDING, asked)).fetchall():
        if not shows_all:
            how = "some of its rows may be hidden, and their orders missing" if shows else "every row is hidden"
            what = f"row-level security is on for role {role}: {how}"
            problems.append(Problem(what, _remedy(role, schema, table), f"{schema}.{table}", warning=shows))
    return problems


def _remedy(role: str, schema: str, table: str) -> str:
    name, on = sql.Identifier(role), sql.Identifier(schema, table)
    policy = sql.SQL("CREATE POLICY {0} ON {1} FOR SELECT TO {0} USING (true);").format(name, on).as_string()
    bypass = sql.SQL("ALTER ROLE {} BYPASSRLS;").format(name).as_string()
    return f"let its owner run: {policy} (or, where restrictive policies stand against that, a superuser: {bypass})"
