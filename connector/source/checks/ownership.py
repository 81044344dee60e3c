"""Who owns the OMS's objects, and which attributes a role has: who must run which part of the grants.

Reads the catalog only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from connector.model.changes import TableName
from connector.source.checks.hosting import PROFILES, Hosting
from connector.source.objects.replica_identities import by_name

_SERVER: Final = """
SELECT current_database()::text, current_setting('wal_level'), current_setting('server_version_num')::int / 10000
"""

_ROLE: Final = """
SELECT rolcanlogin, rolsuper OR rolreplication OR EXISTS (
    SELECT FROM pg_roles g WHERE g.rolname = %(by_role)s AND pg_has_role(r.oid, g.oid, 'MEMBER'))
FROM pg_roles r WHERE rolname = %(role)s
"""

_RELATIONS: Final = """
SELECT n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, c.relrowsecurity AND NOT EXISTS (
    SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = %(role)s)
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
"""

# From 15 on `public` belongs to a role that stands for the database's owner.
_SCHEMAS: Final = """
SELECT n.nspname::text,
       CASE WHEN r.rolname = 'pg_database_owner' THEN pg_get_userbyid(d.datdba) ELSE r.rolname END::text
FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner JOIN pg_database d ON d.datname = current_database()
WHERE n.nspname = ANY(%s)
"""

_FUNCTIONS: Final = """
SELECT w.place::int - 1, pg_get_userbyid(p.proowner)::text
FROM unnest(%(schemas)s::text[], %(names)s::text[], %(arguments)s::text[]) WITH ORDINALITY AS w (s, n, a, place)
JOIN pg_namespace ON nspname = w.s
JOIN pg_proc p ON pronamespace = pg_namespace.oid AND proname = w.n AND oidvectortypes(proargtypes) = w.a
"""

_MAY_CREATE: Final = """
SELECT rolname::text FROM pg_roles WHERE rolname = ANY(%s)
AND NOT has_database_privilege(oid, current_database(), 'CREATE')
"""

Function = tuple[str, str, str]
"""Schema, name and the types of the arguments as SQL, as they are said under an empty search path."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """`role`: (may log in, may replicate) of the role that is to be let in; None when there is none yet. `guarded`:
    tables with row-level security and no policy of the role's name. `may_not_create`: owners who may not make a
    publication in this database."""

    database: str
    wal_level: str
    version: int
    role: tuple[bool, bool] | None
    relations: Mapping[TableName, str]
    guarded: frozenset[TableName]
    schemas: Mapping[str, str]
    functions: Mapping[Function, str]
    may_not_create: frozenset[str]


async def read_ownership(
    conn: psycopg.AsyncConnection[Any],
    role: str,
    hosting: Hosting,
    relations: Sequence[TableName],
    schemas: Sequence[str],
    functions: Sequence[Function],
) -> Ownership:
    """What isn't there has no owner. Raises psycopg.Error."""
    async with conn.transaction():
        database, wal_level, version = await (await conn.execute(_SERVER)).fetchone() or ("", "", 0)
        found = await (await conn.execute(_ROLE, {"role": role, "by_role": PROFILES[hosting].by_role or ""})).fetchone()
        rows = await (await conn.execute(_RELATIONS, {**by_name(relations), "role": role})).fetchall()
        belonging = {TableName(schema, name): owner for schema, name, owner, _ in rows}
        of_schemas = dict(await (await conn.execute(_SCHEMAS, (list(schemas),))).fetchall())
        parts = dict(zip(("schemas", "names", "arguments"), map(list, zip(*functions, strict=True)), strict=False))
        asked = parts or {"schemas": [], "names": [], "arguments": []}
        of_functions = await (await conn.execute(_FUNCTIONS, asked)).fetchall()
        barred = await (await conn.execute(_MAY_CREATE, (list(set(belonging.values())),))).fetchall()
    return Ownership(
        database,
        wal_level,
        version,
        None if found is None else (found[0], found[1]),
        belonging,
        frozenset(TableName(schema, name) for schema, name, _, guarded in rows if guarded),
        of_schemas,
        {functions[place]: owner for place, owner in of_functions},
        frozenset(name for (name,) in barred),
    )
