"""What the reading role may not do of what it needs, with the SQL that a DBA runs.

Asked before the mapping is run, because the server's own answer names one table at a time and no remedy. Privileges on
single columns count. Reads the catalog only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.projection.routes.required_privileges import RequiredPrivileges

_SCHEMAS = """
SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[]) AND NOT has_schema_privilege(oid, 'USAGE') ORDER BY 1
"""

# `denied`: columns without the privilege, none when the whole table has it.
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, has_any_column_privilege(c.oid, 'SELECT') AS some,
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum) AS denied
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
ORDER BY 1, 2
"""

# Types come with their schemas, as pg_catalog alone is looked in.
_FUNCTIONS = """
SELECT n.nspname AS schema, p.proname AS name, oidvectortypes(p.proargtypes) AS arguments,
  has_function_privilege('public', p.oid, 'EXECUTE') AS by_all, has_function_privilege(p.oid, 'EXECUTE') AS by_us
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proname = ANY($1::text[]) ORDER BY 1, 2, 3
"""

_DENIED = re.compile(r"permission denied for (?P<kind>schema|table|view|function|procedure) (?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the mapping may call, with the types of its arguments as SQL. `by_all`: everybody may call it."""

    schema: str
    name: str
    arguments: str
    by_all: bool
    by_us: bool

    @property
    def signature(self) -> str:
        return f"{quoted(self.schema, self.name)}({self.arguments})"


async def privilege_problems(connection: AsyncConnection[Any], privileges: RequiredPrivileges) -> list[Problem]:
    """All that is missing, as far as the catalog tells. Raises psycopg.Error."""
    role = await _role(connection)
    problems = []
    rows = await (await connection.execute(_SCHEMAS, [sorted(privileges.schemas)])).fetchall()
    if rows:
        listed = ", ".join(quoted(schema) for (schema,) in rows)
        what = f"use schema {', '.join(schema for (schema,) in rows)}"
        problems.append(_denied(role, what, f"USAGE ON SCHEMA {listed}"))
    problems += await _table_problems(connection, privileges, role)
    functions = await read_functions(connection, privileges.called)
    denied = [function for function in functions if not function.by_us]
    # Where another function of the name may be called, that one may be meant; else the server will say.
    open_names = {function.name for function in functions if function.by_us}
    return problems + [_function_problem(role, function) for function in denied if function.name not in open_names]


async def _table_problems(connection: AsyncConnection[Any], privileges: RequiredPrivileges, role: str) -> list[Problem]:
    names = sorted(privileges.columns)
    asked = [[name.schema for name in names], [name.name for name in names]]
    unreadable, problems = [], []
    for schema, relation, some, denied in await (await connection.execute(_TABLES, asked)).fetchall():
        name = TableName(schema, relation)
        wanted = privileges.columns[name]
        columns = [column for column in denied if wanted is None or column in wanted]
        if (columns or not some) and (some or name not in privileges.named):
            columns = columns or sorted(wanted or denied)
            listed = ", ".join(map(quoted, columns))
            select = f"SELECT ({listed}) ON {_quoted(name)}"
            problems.append(_denied(role, f"read {', '.join(columns)} of {name}", select))
        elif columns or not some:
            unreadable.append(name)
    if unreadable:
        listed = ", ".join(map(_quoted, unreadable))
        problems.insert(0, _denied(role, f"read {', '.join(map(str, unreadable))}", f"SELECT ON {listed}"))
    return problems


async def read_functions(connection: AsyncConnection[Any], names: Collection[str]) -> list[Function]:
    """All functions of these names. Raises psycopg.Error."""
    async with connection.cursor(row_factory=class_row(Function)) as cursor:
        return await (await cursor.execute(_FUNCTIONS, [sorted(names)])).fetchall()


async def refused_problem(
    connection: AsyncConnection[Any], privileges: RequiredPrivileges, error: psycopg.Error
) -> Problem:
    """What the server denied, though nothing that is known from the catalog is missing: in its own words, which name
    no row, with the SQL that mends it where the words tell."""
    role = await _role(connection)
    what = error.diag.message_primary or "permission denied"
    match = _DENIED.fullmatch(what)
    grants: Iterable[str] = ()
    if match is not None and match["kind"] == "schema":
        grants = [_grant(role, f"USAGE ON SCHEMA {quoted(match['name'])}")]
    elif match is not None and match["kind"] in ("function", "procedure"):
        functions = await read_functions(connection, [match["name"]])
        grants = [_grant(role, f"EXECUTE ON FUNCTION {each.signature}") for each in functions if not each.by_us]
    elif match is not None:
        named = [name for name in privileges.columns if name.name == match["name"]]
        grants = [_grant(role, f"SELECT ON {_quoted(name)}") for name in named]
    hint = f"let a DBA run: {' '.join(grants)}" if grants else "`redo-connector grants` prints what the role needs"
    return Problem(f"{what} (role {role})", hint, "source.dsn")


async def _role(connection: AsyncConnection[Any]) -> str:
    row = await (await connection.execute("SELECT current_user::text")).fetchone()
    return str(row[0]) if row else ""


def _function_problem(role: str, function: Function) -> Problem:
    return _denied(role, f"call {function.signature}", f"EXECUTE ON FUNCTION {function.signature}")


def _denied(role: str, what: str, privilege: str) -> Problem:
    return Problem(f"role {role} may not {what}", f"let a DBA run: {_grant(role, privilege)}", "source.dsn")


def _grant(role: str, privilege: str) -> str:
    return f"GRANT {privilege} TO {quoted(role)};"


def _quoted(name: TableName) -> str:
    return quoted(name.schema, name.name)
