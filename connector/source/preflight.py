"""Read-only checks of the OMS database before the connector runs, and the SQL that a DBA runs to pass them.

Every check tells all it finds; none changes anything. `setup` is what then acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from connector.changes import TableName
from connector.errors import ConfigurationError, Problem, SourceUnavailable
from connector.source.catalog import TableFacts, read_tables, table_problems
from connector.source.connections import connection, explain, unavailable
from connector.source.identities import quoted
from connector.source.pair import (
    Pair,
    conflicts,
    danger_problems,
    pair_problems,
    pair_repairs,
    pair_statements,
    read_pair,
)
from connector.source.setup import slot_statement, verify_problems
from connector.source.slot import SlotReport, read_slot, slot_problems

_OLDEST: Final = 130000

# rds_replication is how Amazon RDS lets roles replicate.
_SERVER: Final = """
SELECT current_setting('server_version_num')::int AS version, current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int AS max_slots, (SELECT count(*) FROM pg_replication_slots) AS slots,
       current_setting('max_wal_senders')::int AS max_senders, (SELECT count(*) FROM pg_stat_replication) AS senders,
       pg_is_in_recovery() AS in_recovery, current_user::text AS role, current_database()::text AS database,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS (
           SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER')) AS may_replicate
"""


@dataclass(frozen=True, slots=True)
class _Server:
    version: int
    wal_level: str
    max_slots: int
    slots: int
    max_senders: int
    senders: int
    in_recovery: bool
    role: str
    database: str
    may_create: bool
    may_replicate: bool


async def preflight(
    dsn: str, slot: str, publication: str, tables: Sequence[TableName], manage: bool, *, renews: bool = True
) -> list[Problem]:
    """Everything that would keep the tables from being followed, as far as it can be seen from outside. Never raises
    for what the database says: that is a Problem too. `renews`: with `manage`, a lost slot will be made anew."""
    try:
        async with connection(dsn) as conn:
            async with conn.cursor(row_factory=class_row(_Server)) as cursor:
                server = await (await cursor.execute(_SERVER)).fetchone()
            if server is None or server.version < _OLDEST:
                return [Problem("the server is older than Postgres 13", "upgrade it", "source.dsn")]
            facts = await read_tables(conn, tables)
            pair = await read_pair(conn, publication)
            report = await read_slot(conn, slot)
            return [
                *_server_problems(server),
                *_capacity_problems(server, slot, report),
                *await table_problems(conn, tables),
                *_privilege_problems(server, facts),
                *_object_problems(server, slot, facts, pair, report, manage, renews),
            ]
    except ConfigurationError as error:
        return list(error.problems)
    except SourceUnavailable as error:
        return [Problem(str(error), "check host, port, user, password, pg_hba.conf and TLS settings", "source.dsn")]
    except psycopg.Error as error:
        return [Problem(f"a check failed: {explain(error)}", "see the server's log", "source.dsn")]


def _server_problems(server: _Server) -> list[Problem]:
    found = []
    if server.wal_level != "logical":
        hint = "ALTER SYSTEM SET wal_level = 'logical'; then restart the server (on RDS: rds.logical_replication = 1)"
        found.append(Problem(f"wal_level is {server.wal_level}", hint, "source.dsn"))
    if server.in_recovery and server.version < 160000:
        hint = "point source.dsn at the primary (logical decoding on a standby needs Postgres 16)"
        found.append(Problem("the server is a standby", hint, "source.dsn"))
    if not server.may_replicate:
        role = sql.Identifier(server.role).as_string()
        hint = f"ALTER ROLE {role} REPLICATION; (on RDS: GRANT rds_replication TO {role};)"
        found.append(Problem(f"role {server.role} may not replicate", hint, "source.dsn"))
    return found


def _capacity_problems(server: _Server, slot: str, report: SlotReport | None) -> list[Problem]:
    found = []
    if report is None and server.slots >= server.max_slots:
        hint = (
            f"raise max_replication_slots above {server.max_slots} (needs a restart), or drop a slot that nobody uses"
        )
        found.append(Problem(f"all {server.max_slots} replication slots are taken", hint, f"slot {slot}"))
    if (report is None or report.active_pid is None) and server.senders >= server.max_senders:
        hint = f"raise max_wal_senders above {server.max_senders} (needs a restart)"
        found.append(Problem(f"all {server.max_senders} WAL senders are taken", hint, f"slot {slot}"))
    return found


def _privilege_problems(server: _Server, facts: Sequence[TableFacts]) -> list[Problem]:
    role = sql.Identifier(server.role).as_string()
    found = []
    for schema in sorted({fact.schema for fact in facts if fact.usage is False}):
        hint = f"GRANT USAGE ON SCHEMA {sql.Identifier(schema).as_string()} TO {role};"
        found.append(Problem(f"role {server.role} may not use the schema", hint, schema))
    for fact in facts:
        if fact.select is False:
            hint = f"GRANT SELECT ON {quoted(fact.table)} TO {role};"
            found.append(Problem(f"role {server.role} may not read the table", hint, str(fact.table)))
        if fact.row_security:
            hint = f"ALTER ROLE {role} BYPASSRLS; or a policy that shows it every order"
            what = f"row-level security hides rows from role {server.role}"
            found.append(Problem(what, hint, str(fact.table), warning=True))
    return found


def _object_problems(
    server: _Server,
    slot: str,
    facts: Sequence[TableFacts],
    pair: Pair,
    report: SlotReport | None,
    manage: bool,
    renews: bool,
) -> list[Problem]:
    existing = [fact for fact in facts if fact.kind is not None]
    if not manage:
        return verify_problems(slot, existing, pair, report)
    problems = [] if report is None else slot_problems(slot, report, renewed=renews)
    if pair_repairs(pair, existing) and not _may_repair(server, pair, existing):
        # What a DBA would have to run is just what the connector itself may not.
        return problems + pair_problems(pair, existing)
    # What the connector mends as it starts is worth knowing sooner, because the OMS suffers from it.
    dangers = [replace(problem, warning=True) for problem in danger_problems(pair, existing)]
    return problems + dangers + conflicts(pair, existing)


def _may_repair(server: _Server, pair: Pair, facts: Sequence[TableFacts]) -> bool:
    publications = all(each.owned for each in pair.existing)
    creating = pair.main is None or pair.inserts is None
    return publications and (server.may_create or not creating) and all(fact.owned for fact in facts)


async def insert_only_tables(dsn: str, tables: Sequence[TableName]) -> tuple[TableName, ...]:
    """Those without a usable replica identity. Raises SourceUnavailable."""
    try:
        async with connection(dsn) as conn:
            return tuple(fact.table for fact in await read_tables(conn, tables) if not fact.identified)
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None


def grants(
    tables: Sequence[TableName],
    role: str,
    publication: str,
    slot: str,
    database: str | None = None,
    *,
    insert_only: Sequence[TableName],
) -> str:
    """SQL for a DBA: a role that can stream and read exactly these tables, the publications and the slot.

    `insert_only` is what `insert_only_tables` found: publishing one of them whole would break its UPDATEs. Afterwards
    the connector runs with `source.manage = false`. Without `database`, CONNECT is left as it is.
    """
    name = sql.Identifier(role)
    schemas = sorted({table.schema for table in tables})
    listed = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in sorted(tables))
    statements: list[sql.Composable] = [sql.SQL("CREATE ROLE {} LOGIN REPLICATION").format(name)]
    if database is not None:
        statements.append(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), name))
    usage = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}")
    statements += [usage.format(sql.Identifier(schema), name) for schema in schemas]
    statements.append(sql.SQL("GRANT SELECT ON {} TO {}").format(listed, name))
    statements += pair_statements(publication, tables, insert_only)
    lines = [f"{statement.as_string()};" for statement in statements]
    password = f"-- then give it a password, in psql: \\password {name.as_string()}"
    return "\n".join([lines[0], password, *lines[1:], slot_statement(slot)]) + "\n"
