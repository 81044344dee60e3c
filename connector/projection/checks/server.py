"""What the server says of a mapping: whether it takes it, which relations it reads for it, and that the restricted
query gives the same columns.

The relations come from the server's own locks and plans, not from our reading of the text: a table that the analysis
missed is found here.
"""
# ruff: noqa: S608  the mapping is SQL that the operator wrote; running it is what this is for

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from typing import Any

import psycopg
from psycopg import AsyncConnection

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem
from connector.postgres.bounded import SEARCH_PATH
from connector.postgres.quoting import quoted
from connector.projection.catalog.search_path import SearchPath, using_path
from connector.projection.routes.key import KeyUse
from connector.projection.sql.errors import condition
from connector.projection.sql.keys import array_literal
from connector.projection.sql.mapping import Mapping

_LOCKED = """
SELECT DISTINCT n.nspname, c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

# A partition is read as a part of its table, a child also as a part of its parent.
_PARENTS = """
WITH RECURSIVE up(schema, name, oid) AS (
  SELECT n.nspname, c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
  UNION SELECT u.schema, u.name, h.inhparent FROM up u JOIN pg_inherits h ON h.inhrelid = u.oid)
SELECT u.schema, u.name, n.nspname, c.relname FROM up u JOIN pg_class c ON c.oid = u.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
"""


async def judged(
    mapping: Mapping, connection: AsyncConnection[Any], path: Sequence[str]
) -> tuple[list[Problem], set[TableName]]:
    """What the server says against the mapping as written, and the relations that it locks to parse it. `path`: the
    schemas that the role's sessions look in. Nothing is run, nor planned."""
    prefix = "PREPARE redo_connector_mapping AS "
    await connection.execute("BEGIN")
    try:
        before = await _locked(connection)
        await connection.execute(f"SET LOCAL search_path TO {', '.join([*map(quoted, path), 'pg_temp'])}")
        await connection.execute(prefix + mapping.written)
        await connection.execute(SEARCH_PATH)
        return [], await _locked(connection) - before
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate.startswith(("08", "57", "53")):
            raise
        return [_refusal(mapping, error, len(prefix))], set()
    finally:
        if not connection.closed:
            await connection.execute("ROLLBACK")
            await connection.execute("DEALLOCATE ALL")


async def _locked(connection: AsyncConnection[Any]) -> set[TableName]:
    rows = await (await connection.execute(_LOCKED)).fetchall()
    return {TableName(*row) for row in rows}


def _refusal(mapping: Mapping, error: psycopg.Error, prefix: int) -> Problem:
    """The server's own words: at this point they can quote the mapping, never a row."""
    what = error.diag.message_primary or condition(error.sqlstate or "")
    position = int(error.diag.statement_position or prefix + 1) - 1 - prefix
    return mapping.problem(what, max(0, position), error.diag.message_hint or "")


def unseen(mapping: Mapping, seen: set[TableName], locked: set[TableName]) -> list[Problem]:
    """The analysis must have seen exactly the tables and views that the server locks."""
    names = ", ".join(str(name) for name in sorted(locked ^ seen))
    if not names:
        return []
    hint = "name these tables in the mapping itself, each by its schema"
    return [mapping.problem(f"the server reads other tables than the analysis found: {names}", 0, hint)]


async def unplanned(
    connection: AsyncConnection[Any], mapping: Mapping, path: SearchPath, text: str, key: KeyUse, routed: set[TableName]
) -> list[Problem]:
    """Every relation that the planner would read for some orders must be routed, or be a part of one that is. Sees
    through SQL functions that are inlined, and through policies of row security."""
    query = f"EXPLAIN (VERBOSE, FORMAT JSON) {text}"
    async with using_path(connection, path):
        plan = (await (await connection.execute(query, [array_literal(()) for _ in key.columns])).fetchall())[0][0]
    names = sorted(set(_relations(plan[0]["Plan"])))
    asked = [[name.schema for name in names], [name.name for name in names]]
    parents: dict[TableName, set[TableName]] = {}
    for schema, name, *parent in await (await connection.execute(_PARENTS, asked)).fetchall():
        parents.setdefault(TableName(schema, name), set()).add(TableName(*parent))
    missing = ", ".join(str(name) for name in names if not parents.get(name, {name}) & routed)
    if not missing:
        return []
    what = f"the server's plan reads tables that the analysis did not find: {missing}"
    return [mapping.problem(what, 0, "name the tables in the mapping itself")]


def _relations(plan: Dictionary[str, Any]) -> Iterator[TableName]:
    if "Relation Name" in plan:
        yield TableName(plan["Schema"], plan["Relation Name"])
    for child in plan.get("Plans", ()):
        yield from _relations(child)


async def described(
    mapping: Mapping, connection: AsyncConnection[Any], path: SearchPath, text: str, key: KeyUse
) -> dict[str, str]:
    """The output columns and their types: the same for the mapping as written and restricted."""
    try:
        written = await _described(connection, path, mapping.statement, [])
    except (psycopg.errors.UndefinedObject, psycopg.errors.UndefinedFunction) as error:
        raise _not_on_path(mapping, path, error) from None
    except psycopg.errors.FeatureNotSupported as error:
        hint = "run it in psql: the server plans it for nobody (a FULL JOIN needs an = between its two sides)"
        raise ConfigurationError([mapping.problem(error.diag.message_primary or "", 0, hint)]) from None
    try:
        made = await _described(connection, path, text, [array_literal(()) for _ in key.columns])
    except psycopg.Error as error:
        if error.sqlstate is None or not error.sqlstate.startswith(("42", "0A")):
            raise
        names = ", ".join(f"{key.use.alias}.{name}" for name in key.names)
        what = f"the mapping can't be restricted to single orders by {names}: {error.diag.message_primary}"
        hint = "let the subquery or CTE that reads the order table give these columns, grouped by them where it groups"
        raise ConfigurationError([mapping.problem(what, key.use.at, hint)]) from None
    if made[: len(written)] != written or len(made) != len(written) + len(key.columns):
        what = "the query for single orders has other columns than the mapping"
        raise ConfigurationError([mapping.problem(what, 0, "name the columns instead of *")])
    twice = {name for name, _ in written if [other for other, _ in written].count(name) > 1}
    if twice:
        what = f"output columns of the same name: {', '.join(sorted(twice))}"
        raise ConfigurationError([mapping.problem(what, 0, "give each its own name with AS")])
    return dict(written)


def _not_on_path(mapping: Mapping, path: SearchPath, error: psycopg.Error) -> ConfigurationError:
    """By the role's own path the server took it."""
    looked = ", ".join(("pg_catalog", *path.schemas))
    what = f"not found in {looked}, where the mapping's names are looked up: {error.diag.message_primary}"
    hint = "write its schema before the name (docs/security.md says which schemas are left out)"
    return ConfigurationError([mapping.problem(what, 0, hint)])


async def _described(
    connection: AsyncConnection[Any], path: SearchPath, text: str, parameters: list[str]
) -> list[tuple[str, str]]:
    async with using_path(connection, path):
        cursor = await connection.execute(f"SELECT * FROM (\n{text}\n) AS {quoted('m')} LIMIT 0", parameters)
    columns = [(column.name, column.type_code) for column in cursor.description or ()]
    oids = [oid for _, oid in columns]
    rows = await (
        await connection.execute(
            "SELECT format_type(o, NULL) FROM unnest($1::oid[]) WITH ORDINALITY AS t(o, i) ORDER BY i", [oids]
        )
    ).fetchall()
    return [(name, row[0]) for (name, _), row in zip(columns, rows, strict=True)]
