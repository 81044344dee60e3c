"""What the functions that a mapping calls may do: read tables whose changes nobody would follow, or answer anew on
each call. From pg_proc (https://www.postgresql.org/docs/current/catalog-pg-proc.html).

SQL functions are judged by their bodies, and so are the functions that those call; bodies in other languages by what
they are declared to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from sqlglot import exp

from connector.projection.mapping import read_query

_FUNCTIONS = """
SELECT p.proname, n.nspname, p.prokind::text, p.provolatile::text, l.lanname, p.prosrc, NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
    AND d.refclassid = 'pg_class'::regclass)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.proname = ANY($1::text[]) AND (n.nspname <> 'pg_catalog' OR p.provolatile = 'v')
"""

_BUILT_IN_READERS = frozenset(
    f"{what}_to_{form}" for what in ("query", "table", "cursor", "schema", "database") for form in ("xml", "xmlschema")
) | {"query_to_xml_and_xmlschema", "table_to_xml_and_xmlschema", "ts_stat", "dblink", "pg_read_file", "lo_get"}


@dataclass(frozen=True, slots=True)
class Functions:
    """By name: `readers` with the reason, `volatile` ones, and all that are `called`, at any depth."""

    readers: Mapping[str, str]
    volatile: frozenset[str]
    called: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    schema: str
    kind: str
    volatility: str
    language: str
    body: str
    names_no_table: bool


async def read_functions(connection: AsyncConnection[Any], names: Sequence[str]) -> Functions:
    """Judge every function of these names, and those that SQL functions among them call. Raises psycopg.Error."""
    reasons = dict.fromkeys(_BUILT_IN_READERS, "reads tables that it is told of")
    volatile: set[str] = set()
    calls: dict[str, frozenset[str]] = {}
    waiting = frozenset(names)
    while waiting:
        calls |= dict.fromkeys(waiting, frozenset())
        for row in await (await connection.execute(_FUNCTIONS, [sorted(waiting)])).fetchall():
            found = _Function(*row)
            reason, called = _judged(found)
            calls[found.name] |= called
            if reason is not None:
                reasons[found.name] = reason
            if found.volatility == "v" and (found.schema == "pg_catalog" or found.language != "sql"):
                volatile.add(found.name)
        waiting = frozenset(name for called in calls.values() for name in called if name not in calls)
    readers: dict[str, str] = {}
    for name in names:
        reached = _reached(name, calls)
        reader = next((found for found in reached if found in reasons), None)
        if reader is not None:
            readers[name] = reasons[reader] if reader == name else f"calls {reader}, which {reasons[reader]}"
    moving = frozenset(name for name in names if not volatile.isdisjoint(_reached(name, calls)))
    return Functions(readers, moving, frozenset(calls))


def _reached(name: str, calls: Mapping[str, frozenset[str]]) -> list[str]:
    """The function itself and all that it calls, at any depth."""
    found = [name]
    for each in found:
        found += sorted(called for called in calls.get(each, ()) if called not in found)
    return found


def _judged(found: _Function) -> tuple[str | None, frozenset[str]]:
    """Why the function may read tables, None when it doesn't; and the names that it calls."""
    if found.schema == "pg_catalog" or found.kind != "f" or found.language in ("c", "internal"):
        return None, frozenset()
    if found.language != "sql":
        return (None if found.volatility == "i" else f"is {found.language} and not IMMUTABLE"), frozenset()
    if not found.names_no_table:
        return "reads tables", frozenset()
    if not found.body:
        # Its body is kept parsed (BEGIN ATOMIC, RETURN): the tables and functions in it are known to pg_depend.
        return (None if found.volatility == "i" else "is not IMMUTABLE"), frozenset()
    read = read_query(found.body.strip().rstrip(";"))
    if read is None:
        return (None if found.volatility == "i" else "is not IMMUTABLE and can't be read"), frozenset()
    query, calls = read
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    if any(
        isinstance(t.this, exp.Identifier) and (t.args.get("db") or t.name not in ctes)
        for t in query.find_all(exp.Table)
    ):
        return "reads tables", frozenset()
    return None, calls
