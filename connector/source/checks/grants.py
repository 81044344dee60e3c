"""The SQL with which a DBA lets the connector in: a role that may replicate, and read exactly what it reads; the
publications; the slot. Each part says who has to run it.

Nothing of it is run here. Statements stand on lines of their own; all else is comments, so that the whole can be piped
into psql by somebody who may do everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.model.changes import TableName
from connector.postgres.connections import reading
from connector.postgres.quoting import quoted
from connector.source.checks.hosting import PROFILES, Hosting, read_hosting, replication
from connector.source.checks.ownership import Function, Ownership, read_ownership
from connector.source.objects.catalog import TableFacts, kind_problem, read_tables
from connector.source.objects.publication_pair import PublicationPair, pair_repairs, read_pair
from connector.source.objects.setup import slot_statement

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Access:
    """What `role` is to be let into. `followed`: tables to publish. `read`: tables and views to read, with the columns
    where not all of it is. `functions`: those that not everybody may call. `path`: schemas that the mapping's names
    are looked up in."""

    role: str
    followed: Sequence[TableName]
    read: Mapping[TableName, Sequence[str] | None]
    schemas: Sequence[str]
    functions: Sequence[Function] = ()
    path: Sequence[str] = ()


async def grants(dsn: str, access: Access, publication: str, slot: str, hosting: Hosting | None = None) -> str:
    """The script, for the database as it is: what is there already isn't made again. `hosting`: as recognised, when
    left out. Raises SourceUnavailable, ConfigurationError."""
    async with reading(dsn) as conn:
        where = hosting or await read_hosting(conn)
        relations = sorted({*access.read, *access.followed})
        ownership = await read_ownership(conn, access.role, where, relations, access.schemas, access.functions)
        facts = [each for each in await read_tables(conn, access.followed) if not kind_problem(each, access.followed)]
        pair = await read_pair(conn, publication)
    parts = (
        _heading(ownership, where),
        [*_role(access.role, ownership, where), *_path(access)],
        _reading(access, ownership),
        _publishing(pair, facts, ownership),
        _slot(slot, ownership),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _heading(ownership: Ownership, hosting: Hosting) -> Iterator[str]:
    profile = PROFILES[hosting]
    yield comment(f"What redo-connector needs in database {ownership.database}, on {profile.title}.")
    if ownership.wal_level != "logical":
        yield comment(f"wal_level is {ownership.wal_level}: {profile.logical}.")
    yield from map(comment, profile.notes)


def _role(role: str, ownership: Ownership, hosting: Hosting) -> Iterator[str]:
    name = quoted(role)
    attribute = PROFILES[hosting].by_role is None
    yield comment(f"1. The role. Run this as {PROFILES[hosting].administrator}.")
    if ownership.role is None:
        yield f"CREATE ROLE {name} LOGIN REPLICATION;" if attribute else f"CREATE ROLE {name} LOGIN;"
        yield comment(f"Give it a password, in psql: \\password {name}")
    elif not ownership.role[0]:
        yield f"ALTER ROLE {name} LOGIN;"
    if not (attribute if ownership.role is None else ownership.role[1]):
        yield replication(hosting, role)
    yield f"GRANT CONNECT ON DATABASE {quoted(ownership.database)} TO {name};"


def _path(access: Access) -> Iterator[str]:
    """What the mapping's names mean now stays so, whatever becomes of the database's own path."""
    if access.path:
        yield comment("Where the mapping's names without a schema are looked up.")
        yield f"ALTER ROLE {quoted(access.role)} SET search_path = {', '.join(map(quoted, [*access.path, 'pg_temp']))};"


def _reading(access: Access, ownership: Ownership) -> Iterator[str]:
    """By owner, because only owners (and superusers) may grant."""
    by_owner: dict[str, list[str]] = {}
    for owner, statement in _reads(access, ownership):
        by_owner.setdefault(owner, []).append(statement)
    yield comment("2. What it reads, and nothing else. Run each part as the role named, or all as a superuser.")
    for owner in sorted(by_owner):
        yield comment(f"as {owner}:")
        yield from by_owner[owner]


def _reads(access: Access, ownership: Ownership) -> Iterator[tuple[str, str]]:
    role = quoted(access.role)
    for schema in sorted(access.schemas):
        yield ownership.schemas.get(schema, "its owner"), f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {role};"
    whole: dict[str, list[TableName]] = {}
    for table in sorted(table for table, columns in access.read.items() if columns is None):
        whole.setdefault(ownership.relations.get(table, "its owner"), []).append(table)
    for owner, tables in whole.items():
        yield owner, f"GRANT SELECT ON {', '.join(map(_named, tables))} TO {role};"
    for table, columns in sorted(access.read.items()):
        if columns is not None:
            grant = f"GRANT SELECT ({', '.join(map(quoted, columns))}) ON {_named(table)} TO {role};"
            yield ownership.relations.get(table, "its owner"), grant
    for function in sorted(access.functions):
        schema, name, arguments = function
        grant = f"GRANT EXECUTE ON FUNCTION {quoted(schema, name)}({arguments}) TO {role};"
        yield ownership.functions.get(function, "its owner"), grant
    for table in sorted(ownership.guarded & access.read.keys()):
        # With row-level security on, a role that no policy names sees no row.
        yield ownership.relations[table], f"CREATE POLICY {role} ON {_named(table)} FOR SELECT TO {role} USING (true);"


def _publishing(pair: PublicationPair, facts: Sequence[TableFacts], ownership: Ownership) -> Iterator[str]:
    statements = pair_repairs(pair, facts)
    if not statements:
        yield comment("3. The publications are there, and carry what they should.")
        return
    by_owner: dict[str, list[str]] = {}
    for fact in facts:
        by_owner.setdefault(ownership.relations.get(fact.table, "its owner"), []).append(str(fact.table))
    yield from map(comment, _publishers(by_owner, ownership))
    yield from (f"{statement.as_string()};" for statement in statements)


def _publishers(by_owner: Mapping[str, Sequence[str]], ownership: Ownership) -> Iterator[str]:
    """Who may run it: the owner of every table that it names, with CREATE on the database. Only publications of all
    tables or of whole schemas would need a superuser."""
    if len(by_owner) > 1:
        yield "3. The publications. Run this as a superuser, or with CREATE on the database and as a member of:"
        yield from (f"   {owner}: {', '.join(tables)}" for owner, tables in sorted(by_owner.items()))
        return
    owner = next(iter(by_owner), "a role with CREATE on the database")
    yield f"3. The publications. Run this as {owner}, who owns the tables, or as a superuser."
    if owner in ownership.may_not_create:
        yield f"{owner} needs for that: GRANT CREATE ON DATABASE {quoted(ownership.database)} TO {quoted(owner)};"


def _slot(slot: str, ownership: Ownership) -> Iterator[str]:
    yield comment(
        "4. The slot: nothing to run. The connector makes it as it starts; from then on the server keeps WAL for it."
    )
    yield comment("With source.manage = false it doesn't; then run this shortly before its first start:")
    yield comment(slot_statement(slot, failover=ownership.version >= 17))


def _named(table: TableName) -> str:
    return quoted(table.schema, table.name)


def comment(text: str) -> str:
    """One line whatever names hold: a line break in one would end the comment."""
    return f"-- {_CONTROL.sub('?', text)}"
