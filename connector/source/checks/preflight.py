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
from connector.model.checklist import Checklist, Findings, Topic
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
    on_primary,
    pair_problems,
    pair_repairs,
    read_pair,
)
from connector.source.objects.setup import no_slot
from connector.source.objects.slot import SlotReport, read_slot, slot_problems

_OLDEST: Final = 130000
_UNREACHABLE: Final = "check host, port, user, password, pg_hba.conf and TLS settings"

# rds_replication is how Amazon RDS lets roles replicate.
_SERVER: Final = """
SELECT current_setting('server_version_num')::int AS version, current_setting('wal_level') AS wal_level,
       split_part(current_setting('server_version'), ' ', 1) AS release,
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
    release: str
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
    tables: Sequence[TableName] | None,
    manage: bool,
    *,
    renews: bool = True,
    former_slots: Sequence[str] = (),
    connections: int = CONNECTIONS_NEEDED,
) -> Checklist:
    """Everything that would keep the tables from being followed, as far as it can be seen from outside; and slots of
    ours that nobody reads (`former_slots`: names that were ours). Never raises for what the database says: that is a
    Problem too. `tables`: None where nobody knows them. `renews`: with `manage`, a lost slot will be made anew.
    `connections`: how many are needed there."""
    found = Checklist()
    try:
        async with connection(dsn) as conn:
            server = await _read_server(conn)
            if server is None or server.version < _OLDEST:
                raise ConfigurationError([Problem("the server is older than Postgres 13", "upgrade it", "source.dsn")])
            database, stream = found.of(Topic.DATABASE), found.of(Topic.STREAM)
            database.fine.append(f"Postgres {server.release}, database {server.database}, as role {server.role}")
            _check_server(server, await read_hosting(conn), found)
            pair, report = await read_pair(conn, publication), await read_slot(conn, slot)
            looked = _Found(slot, server, await read_tables(conn, tables or ()), pair, report)
            _check_capacity(looked, database, stream)
            await _check_stream(dsn, server, database)
            room = f"the {connections} connections that it needs beside its stream are allowed"
            database.found(await limit_problems(conn, connections, "source.dsn"), room)
            database.problems += standby_problems(dsn, server.standby_names)
            if tables is None:
                stream.unseen.append("tables and publications: only the mapping says which")
            else:
                stream.problems += await table_problems(conn, tables)
                _check_publications(looked, manage, stream)
            _check_slot(looked, manage, renews, stream)
            stream.problems += [each.problem() for each in await read_abandoned(conn, slot, former_slots)]
            stream.problems += await publication_problems(conn, (pair.name, pair.inserts_name))
    except (ConfigurationError, SourceUnavailable, psycopg.Error) as error:
        found.of(Topic.DATABASE).problems += _as_problems(error)
        found.unseen("the look at the database failed", Topic.PRIVILEGES, Topic.STREAM)
    return found


def _as_problems(error: ConfigurationError | SourceUnavailable | psycopg.Error) -> list[Problem]:
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    if isinstance(error, SourceUnavailable):
        return [Problem(str(error), error.hint or _UNREACHABLE, "source.dsn")]
    return [Problem(f"a check failed: {explain(error)}", "see the server's log", "source.dsn")]


async def _read_server(conn: psycopg.AsyncConnection[Any]) -> _Server | None:
    async with conn.cursor(row_factory=class_row(_Server)) as cursor:
        return await (await cursor.execute(_SERVER)).fetchone()


def _check_server(server: _Server, hosting: Hosting, found: Checklist) -> None:
    database, profile = found.of(Topic.DATABASE), PROFILES[hosting]
    if server.wal_level != "logical":
        database.problems.append(Problem(f"wal_level is {server.wal_level}", profile.logical, "source.dsn"))
    if server.in_recovery and server.version < 160000:
        hint = "point source.dsn at the primary (logical decoding on a standby needs Postgres 16)"
        database.problems.append(Problem("the server is a standby", hint, "source.dsn"))
    if server.may_replicate:
        found.of(Topic.PRIVILEGES).fine.append(f"role {server.role} may replicate")
    else:
        hint = f"let {profile.administrator} run: {replication(hosting, server.role)}"
        lacking = Problem(f"role {server.role} may not replicate", hint, "source.dsn")
        found.of(Topic.PRIVILEGES).problems.append(lacking)


async def _check_stream(dsn: str, server: _Server, database: Findings) -> None:
    """Whether a replication connection leads to the server: a pooler may let ordinary ones through alone."""
    if not server.may_replicate or server.senders >= server.max_senders:
        database.unseen.append("whether a replication connection leads there: it may not be opened yet")
        return
    try:
        await (await open_replication(dsn)).close()
        database.fine.append("a replication connection leads there")
    except SourceUnavailable as error:
        database.problems += _as_problems(error)


def _check_capacity(found: _Found, database: Findings, stream: Findings) -> None:
    server, report, where = found.server, found.report, f"slot {found.slot}"
    if report is None and server.slots >= server.max_slots:
        hint = (
            f"raise max_replication_slots above {server.max_slots} (needs a restart), or drop a slot that nobody uses"
        )
        stream.problems.append(Problem(f"all {server.max_slots} replication slots are taken", hint, where))
    if (report is None or report.active_pid is None) and server.senders >= server.max_senders:
        hint = f"raise max_wal_senders above {server.max_senders} (needs a restart)"
        stream.problems.append(Problem(f"all {server.max_senders} WAL senders are taken", hint, where))
    slots, senders = max(0, server.max_slots - server.slots), max(0, server.max_senders - server.senders)
    free = f"{slots} of {server.max_slots} replication slots free, {senders} of {server.max_senders} WAL senders"
    database.fine.append(f"wal_level logical, {free}" if server.wal_level == "logical" else free)


def _check_publications(found: _Found, manage: bool, stream: Findings) -> None:
    existing = [fact for fact in found.facts if fact.kind is not None]
    stream.found(_publication_problems(found, existing, manage), _carried(found.pair, existing))


def _check_slot(found: _Found, manage: bool, renews: bool, stream: Findings) -> None:
    report = found.report
    if report is None and manage:
        stream.fine.append(f"slot {found.slot}: not there yet, `run` makes it")
    elif report is None:
        stream.problems.append(no_slot(found.slot))
    else:
        kept = "no WAL" if report.retained is None else f"{report.retained / 2**20:,.1f} MB of WAL"
        read = "nobody reads it now" if report.active_pid is None else "a connector reads it"
        fine = f"slot {found.slot}: {read}, the server keeps {kept} for it"
        stream.found(slot_problems(found.slot, report, renewed=renews and manage), fine)


def _carried(pair: PublicationPair, existing: Sequence[TableFacts]) -> str:
    if pair.main is None:
        return f"publication {pair.name}: not there yet, `run` makes it for {len(existing)} tables"
    if pair_repairs(pair, existing):
        return f"publication {pair.name}: `run` adds what it lacks of {len(existing)} tables"
    return f"publication {pair.name} carries all {len(existing)} tables"


def _publication_problems(found: _Found, existing: Sequence[TableFacts], manage: bool) -> list[Problem]:
    pair = found.pair
    if found.server.in_recovery and pair_repairs(pair, existing):
        return [on_primary(pair, existing, f"publication {pair.name}")]
    if not manage or (pair_repairs(pair, existing) and not _may_repair(found.server, pair, existing)):
        # What a DBA would have to run is just what the connector itself may not.
        return pair_problems(pair, existing)
    # What the connector mends as it starts is worth knowing sooner, because the OMS suffers from it.
    dangers = [replace(problem, warning=True) for problem in danger_problems(pair, existing)]
    return dangers + conflicts(pair, existing)


def _may_repair(server: _Server, pair: PublicationPair, facts: Sequence[TableFacts]) -> bool:
    publications = all(each.owned for each in pair.existing)
    creating = pair.main is None or pair.inserts is None
    return publications and (server.may_create or not creating) and all(fact.owned for fact in facts)
