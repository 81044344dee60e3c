"""Read-only checks of the OMS database before the connector runs: can it be streamed?

Every check tells all it finds, with the SQL that a DBA runs to pass it; none changes anything. `setup` is what then
acts. What may be read there is the projection's to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem, SourceUnavailable
from connector.postgres.connections import connection, open_replication
from connector.postgres.errors import CONNECTIONS_NEEDED, explain
from connector.source.checks.abandoned import publication_problems, read_abandoned
from connector.source.checks.connection_limits import limit_problems
from connector.source.checks.hosting import PROFILES, Hosting, read_hosting, replication
from connector.source.checks.synchronous import standby_problems
from connector.source.objects.catalog import TableFacts, read_tables, table_problems
from connector.source.objects.publication_pair import (
    PublicationPair,
    conflicts,
    danger_problems,
    pair_problems,
    pair_repairs,
    read_pair,
)
from connector.source.objects.setup import verify_problems
from connector.source.objects.slot import SlotReport, read_slot, slot_problems

_OLDEST: Final = 130000
_UNREACHABLE: Final = "check host, port, user, password, pg_hba.conf and TLS settings"

# rds_replication is how Amazon RDS lets roles replicate.
_SERVER: Final = """
SELECT current_setting('server_version_num')::int AS version, current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int AS max_slots, (SELECT count(*) FROM pg_replication_slots) AS slots,
       current_setting('max_wal_senders')::int AS max_senders, (SELECT count(*) FROM pg_stat_replication) AS senders,
       current_setting('synchronous_standby_names') AS standby_names, pg_is_in_recovery() AS in_recovery,
       current_user::text AS role, current_database()::text AS database,
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
    standby_names: str
    in_recovery: bool
    role: str
    database: str
    may_create: bool
    may_replicate: bool


@dataclass(frozen=True, slots=True)
class _Found:
    slot: str
    server: _Server
    facts: Sequence[TableFacts]
    pair: PublicationPair
    report: SlotReport | None


async def preflight(
    dsn: str,
    slot: str,
    publication: str,
    tables: Sequence[TableName],
    manage: bool,
    *,
    renews: bool = True,
    former_slots: Sequence[str] = (),
    connections: int = CONNECTIONS_NEEDED,
) -> list[Problem]:
    """Everything that would keep the tables from being followed, as far as it can be seen from outside; and slots of
    ours that nobody reads (`former_slots`: names that were ours). Never raises for what the database says: that is a
    Problem too. `renews`: with `manage`, a lost slot will be made anew. `connections`: how many are needed there."""
    try:
        async with connection(dsn) as conn:
            server = await _read_server(conn)
            if server is None or server.version < _OLDEST:
                return [Problem("the server is older than Postgres 13", "upgrade it", "source.dsn")]
            pair = await read_pair(conn, publication)
            report = await read_slot(conn, slot)
            found = _Found(slot, server, await read_tables(conn, tables), pair, report)
            return [
                *_server_problems(server, await read_hosting(conn)),
                *await _stream_problems(dsn, server),
                *_capacity_problems(found),
                *await limit_problems(conn, connections, "source.dsn"),
                *standby_problems(dsn, server.standby_names),
                *await table_problems(conn, tables),
                *_object_problems(found, manage, renews),
                *(each.problem() for each in await read_abandoned(conn, slot, former_slots)),
                *await publication_problems(conn, (pair.name, pair.inserts_name)),
            ]
    except (ConfigurationError, SourceUnavailable, psycopg.Error) as error:
        return _as_problems(error)


def _as_problems(error: ConfigurationError | SourceUnavailable | psycopg.Error) -> list[Problem]:
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    if isinstance(error, SourceUnavailable):
        return [Problem(str(error), error.hint or _UNREACHABLE, "source.dsn")]
    return [Problem(f"a check failed: {explain(error)}", "see the server's log", "source.dsn")]


async def _read_server(conn: psycopg.AsyncConnection[Any]) -> _Server | None:
    async with conn.cursor(row_factory=class_row(_Server)) as cursor:
        return await (await cursor.execute(_SERVER)).fetchone()


def _server_problems(server: _Server, hosting: Hosting) -> list[Problem]:
    found = []
    if server.wal_level != "logical":
        found.append(Problem(f"wal_level is {server.wal_level}", PROFILES[hosting].logical, "source.dsn"))
    if server.in_recovery and server.version < 160000:
        hint = "point source.dsn at the primary (logical decoding on a standby needs Postgres 16)"
        found.append(Problem("the server is a standby", hint, "source.dsn"))
    if not server.may_replicate:
        hint = f"let {PROFILES[hosting].administrator} run: {replication(hosting, server.role)}"
        found.append(Problem(f"role {server.role} may not replicate", hint, "source.dsn"))
    return found


def _capacity_problems(found: _Found) -> list[Problem]:
    server, report, where = found.server, found.report, f"slot {found.slot}"
    problems = []
    if report is None and server.slots >= server.max_slots:
        hint = (
            f"raise max_replication_slots above {server.max_slots} (needs a restart), or drop a slot that nobody uses"
        )
        problems.append(Problem(f"all {server.max_slots} replication slots are taken", hint, where))
    if (report is None or report.active_pid is None) and server.senders >= server.max_senders:
        hint = f"raise max_wal_senders above {server.max_senders} (needs a restart)"
        problems.append(Problem(f"all {server.max_senders} WAL senders are taken", hint, where))
    return problems


async def _stream_problems(dsn: str, server: _Server) -> list[Problem]:
    """Whether a replication connection leads to the server: a pooler may let ordinary ones through alone."""
    if not server.may_replicate or server.senders >= server.max_senders:
        return []  # told already
    try:
        await (await open_replication(dsn)).close()
    except SourceUnavailable as error:
        return _as_problems(error)
    return []


def _object_problems(found: _Found, manage: bool, renews: bool) -> list[Problem]:
    pair, report = found.pair, found.report
    existing = [fact for fact in found.facts if fact.kind is not None]
    if not manage:
        return verify_problems(found.slot, existing, pair, report)
    problems = [] if report is None else slot_problems(found.slot, report, renewed=renews)
    if pair_repairs(pair, existing) and not _may_repair(found.server, pair, existing):
        # What a DBA would have to run is just what the connector itself may not.
        return problems + pair_problems(pair, existing)
    # What the connector mends as it starts is worth knowing sooner, because the OMS suffers from it.
    dangers = [replace(problem, warning=True) for problem in danger_problems(pair, existing)]
    return problems + dangers + conflicts(pair, existing)


def _may_repair(server: _Server, pair: PublicationPair, facts: Sequence[TableFacts]) -> bool:
    publications = all(each.owned for each in pair.existing)
    creating = pair.main is None or pair.inserts is None
    return publications and (server.may_create or not creating) and all(fact.owned for fact in facts)
