"""The SQL with which a DBA takes back what `grants` gave: slot, publications, privileges, role.

Read from the catalog and not from a mapping, so that what an earlier mapping needed is taken back, too. Nothing of it
is run here, and no object of the role's own is dropped but its publications.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg

from connector.postgres.connections import reading
from connector.postgres.quoting import quoted
from connector.source.checks.grants import comment
from connector.source.checks.hosting import PROFILES, Hosting, read_hosting
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.teardown import statements

# Taking all from a table takes what there is on its columns, too.
_PRIVILEGES: Final = """
WITH me AS (SELECT oid FROM pg_roles WHERE rolname = %(role)s), held AS (
    SELECT c.oid, 'TABLE' AS kind, n.nspname, c.relname, '' AS arguments, e.grantor
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT grantor, grantee FROM aclexplode(c.relacl) UNION SELECT x.grantor, x.grantee FROM pg_attribute a
        CROSS JOIN LATERAL aclexplode(a.attacl) x WHERE a.attrelid = c.oid AND NOT a.attisdropped
    ) e WHERE e.grantee = (SELECT oid FROM me)
  UNION
    SELECT p.oid, 'ROUTINE', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), e.grantor
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN LATERAL aclexplode(p.proacl) e
    WHERE e.grantee = (SELECT oid FROM me)
  UNION
    SELECT n.oid, 'SCHEMA', n.nspname, NULL, '', e.grantor
    FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) e WHERE e.grantee = (SELECT oid FROM me)
  UNION
    SELECT d.oid, 'DATABASE', d.datname, NULL, '', e.grantor
    FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) e
    WHERE e.grantee = (SELECT oid FROM me) AND d.datname = current_database()
)
SELECT DISTINCT pg_get_userbyid(grantor)::text, kind, nspname::text, relname::text, arguments FROM held
WHERE grantor <> (SELECT oid FROM me) ORDER BY 1, 2 DESC, 3, 4, 5
"""

_POLICIES: Final = """
SELECT pg_get_userbyid(c.relowner)::text, p.polname::text, n.nspname::text, c.relname::text
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.polroles = ARRAY(SELECT oid FROM pg_roles WHERE rolname = %(role)s) ORDER BY 1, 3, 4
"""

# All for which DROP ROLE would fail, but what this script takes back.
_HELD_ELSEWHERE: Final = """
SELECT CASE WHEN d.dbid IN (0, here.oid) THEN pg_describe_object(d.classid, d.objid, d.objsubid)
            ELSE 'database ' || quote_ident(o.datname) END
FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid AND r.rolname = %(role)s
CROSS JOIN (SELECT oid FROM pg_database WHERE datname = current_database()) here
LEFT JOIN pg_database o ON o.oid = d.dbid
WHERE d.refclassid = 'pg_authid'::regclass
  AND NOT (d.dbid = here.oid AND d.deptype = 'a'
           AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass))
  AND NOT (d.dbid = 0 AND d.deptype = 'a' AND d.objid = here.oid)
  AND NOT (d.dbid = here.oid AND d.classid = 'pg_policy'::regclass AND d.objid IN (
           SELECT oid FROM pg_policy WHERE polroles = ARRAY[r.oid]))
  AND NOT (d.dbid = here.oid AND d.classid = 'pg_publication'::regclass AND d.objid IN (
           SELECT oid FROM pg_publication WHERE pubname = ANY (%(publications)s)))
GROUP BY 1 ORDER BY 1
"""
_NAMED: Final = 5
"""Objects that are named; of more their number is told."""


async def revocation(dsn: str, role: str, publication: str, slot: str, hosting: Hosting | None = None) -> str:
    """The script, for the database as it is. Raises SourceUnavailable."""
    async with reading(dsn) as conn:
        where = hosting or await read_hosting(conn)
        asked = {"role": role, "publications": [publication, inserts_name(publication)]}
        there = await _rows(conn, "SELECT rolname::text FROM pg_roles WHERE rolname = %(role)s", asked)
        policies = await _rows(conn, _POLICIES, asked)
        privileges = await _rows(conn, _PRIVILEGES, asked)
        kept = [one for (one,) in await _rows(conn, _HELD_ELSEWHERE, asked)]
    parts = (
        [
            comment(f"Takes back what role {role} was given for redo-connector, and all else that it may do here."),
            comment("1. The slot, then the publications. Stop the connector first. Run this as a superuser."),
            *statements(slot, publication).splitlines(),
        ],
        _privileges(role, policies, privileges),
        _role(role, kept, PROFILES[where].administrator, exists=bool(there)),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


async def _rows(conn: psycopg.AsyncConnection[Any], query: str, asked: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    return await (await conn.execute(query.encode(), asked)).fetchall()


def _privileges(role: str, policies: Sequence[tuple[Any, ...]], privileges: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """By who gave them, because nobody else (but superusers) may take them back."""
    by_owner: dict[str, list[str]] = {}
    for owner, policy, schema, table in policies:
        by_owner.setdefault(owner, []).append(f"DROP POLICY {quoted(policy)} ON {quoted(schema, table)};")
    for owner, kind, schema, name, arguments in privileges:
        target = f"{kind} {quoted(schema) if name is None else quoted(schema, name)}"
        signature = f"({arguments})" if kind == "ROUTINE" else ""
        by_owner.setdefault(owner, []).append(f"REVOKE ALL ON {target}{signature} FROM {quoted(role)};")
    if not by_owner:
        yield comment("2. What it may read: nothing any more.")
        return
    yield comment("2. What it may read. Run each part as the role named, or all as a superuser.")
    for owner in sorted(by_owner):
        yield comment(f"as {owner}:")
        yield from by_owner[owner]


def _role(role: str, kept: Sequence[str], administrator: str, *, exists: bool) -> Iterator[str]:
    if not exists:
        yield comment(f"3. The role: there is no role {role}.")
    elif kept:
        more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
        yield comment(f"3. The role: it still has to do with {', '.join(kept[:_NAMED])}{more}.")
        yield comment(f"When nobody needs that any more: DROP ROLE {quoted(role)};")
    else:
        yield comment(f"3. The role. Run this as {administrator}.")
        yield f"DROP ROLE {quoted(role)};"
