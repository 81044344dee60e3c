"""Row-level security: whether policies hide rows from the reading role.

A hidden order is missing at Redo without any error, so a table of which no policy shows a row is refused, and one whose
policies show only some is reported. https://www.postgresql.org/docs/current/ddl-rowsecurity.html. Reads the catalog
only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import AsyncConnection

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.projection.catalog.search_path import SearchPath, using_path
from connector.projection.routes.key import KeyUse
from connector.projection.sql.errors import would_filter
from connector.projection.sql.keys import array_literal

# A row shows when some permissive policy shows it and all restrictive ones do; without any permissive one, none shows.
# A view reads with the rights of its owner, unless it says otherwise (from Postgres 15 on).
_HIDING = """
WITH wanted AS (
  SELECT c.oid, c.relkind, c.relowner, c.reloptions, view FROM (
    SELECT schema, name, false FROM unnest($1::text[], $2::text[]) AS own(schema, name)
    UNION SELECT schema, name, true FROM unnest($3::text[], $4::text[]) AS views(schema, name)) AS w(schema, name, view)
  JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name),
reader AS (
  SELECT w.oid AS relation, quote_ident(current_user)::regrole::oid AS role FROM wanted w WHERE NOT view
  UNION SELECT d.refobjid, w.relowner FROM wanted w JOIN pg_rewrite r ON r.ev_class = w.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
  WHERE view AND w.relkind = 'v' AND NOT EXISTS (
    SELECT FROM pg_options_to_table(w.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean))
SELECT n.nspname, c.relname, a.rolname::text,
  coalesce(bool_or(polpermissive), false) AS shows,
  coalesce(bool_or(polpermissive AND whole), false) AND NOT coalesce(bool_or(NOT polpermissive AND NOT whole), false)
    AS shows_all
FROM reader JOIN pg_class c ON c.oid = reader.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles a ON a.oid = reader.role
LEFT JOIN LATERAL (
  SELECT polpermissive, coalesce(pg_get_expr(polqual, polrelid) = 'true', true) AS whole FROM pg_policy
  WHERE polrelid = c.oid AND polcmd IN ('r', '*')
    AND EXISTS (SELECT FROM unnest(polroles) AS r(oid) WHERE r.oid = 0 OR pg_has_role(a.oid, r.oid, 'USAGE'))) p ON true
WHERE c.relrowsecurity AND NOT a.rolsuper AND NOT a.rolbypassrls
  AND (c.relforcerowsecurity OR NOT pg_has_role(a.oid, c.relowner, 'USAGE'))
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_UNWATCHED = "what a condition with current_setting() or a function of its own answers can change without a sign"


async def row_security_problems(
    connection: AsyncConnection[Any], tables: Collection[TableName], views: Collection[TableName] = ()
) -> list[Problem]:
    """Of `tables` that the role reads itself, and of those that `views` read with their owners' rights. Raises
    psycopg.Error."""
    asked = [
        [getattr(name, part) for name in sorted(names)] for names in (tables, views) for part in ("schema", "name")
    ]
    problems = []
    for schema, table, role, shows, shows_all in await (await connection.execute(_HIDING, asked)).fetchall():
        if not shows_all:
            some = f"some of its rows may be hidden, and their orders missing; {_UNWATCHED}"
            what = f"row-level security is on for role {role}: {some if shows else 'every row is hidden'}"
            problems.append(Problem(what, _remedy(role, schema, table), f"{schema}.{table}", warning=shows))
    return problems


async def unfiltered(connection: AsyncConnection[Any], path: SearchPath, text: str, key: KeyUse) -> bool:
    """Whether no policy applies to the restricted query, in the server's own words, which know views' owners too.
    Raises psycopg.Error."""
    await connection.execute("SET row_security = off")
    try:
        async with using_path(connection, path):
            await connection.execute(f"EXPLAIN {text}", [array_literal(()) for _ in key.columns])
    except psycopg.errors.InsufficientPrivilege as error:
        if not would_filter(error):
            raise
        return False
    finally:
        if not connection.closed:
            await connection.execute("SET row_security = on")
    return True


def _remedy(role: str, schema: str, table: str) -> str:
    name = quoted(role)
    policy = f"CREATE POLICY {name} ON {quoted(schema, table)} FOR SELECT TO {name} USING (true);"
    bypass = f"ALTER ROLE {name} BYPASSRLS;"
    return f"let its owner run: {policy} (or, where restrictive policies stand against that, a superuser: {bypass})"
