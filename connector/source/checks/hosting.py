"""Where the OMS database is hosted, and what that changes: who may let a role replicate, and how logical decoding is
turned on. docs/hosting.md says the same at length, with the pages that it is taken from.

Reads the catalog only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import psycopg

from connector.postgres.quoting import quoted

_RECOGNISED: Final = """
SELECT ARRAY(SELECT rolname::text FROM pg_roles), EXISTS (SELECT FROM pg_proc WHERE proname = 'aurora_version')
"""


class Hosting(StrEnum):
    """As `grants --for` names them."""

    SELF_HOSTED = "self-hosted"
    RDS = "rds"
    AURORA = "aurora"
    CLOUD_SQL = "cloud-sql"
    AZURE = "azure"
    SUPABASE = "supabase"


@dataclass(frozen=True, slots=True)
class HostingProfile:
    """`title`: its name for people. `administrator`: who may make the role. `logical`: how wal_level becomes logical.
    `by_role`: the role whose members may replicate, None where the attribute REPLICATION does. `notes`: what else
    there is to know."""

    title: str
    administrator: str
    logical: str
    by_role: str | None = None
    notes: tuple[str, ...] = ()


PROFILES: Final[Mapping[Hosting, HostingProfile]] = {
    Hosting.SELF_HOSTED: HostingProfile(
        "a server of your own",
        "a superuser",
        "ALTER SYSTEM SET wal_level = 'logical'; then restart the server",
        notes=("pg_hba.conf must let the role into this database; the keyword `replication` there is not needed.",),
    ),
    Hosting.RDS: HostingProfile(
        "Amazon RDS",
        "a member of rds_superuser",
        "set rds.logical_replication = 1 in the DB parameter group, then reboot the instance",
        "rds_replication",
        ("RDS Proxy passes no replication connections: source.dsn is the instance's own endpoint.",),
    ),
    Hosting.AURORA: HostingProfile(
        "Amazon Aurora",
        "a member of rds_superuser",
        "set rds.logical_replication = 1 in the DB cluster parameter group, then reboot the writer",
        "rds_replication",
        ("RDS Proxy passes no replication connections: source.dsn is the cluster's writer endpoint.",),
    ),
    Hosting.CLOUD_SQL: HostingProfile(
        "Google Cloud SQL",
        "a member of cloudsqlsuperuser (postgres is one)",
        "set the flag cloudsql.logical_decoding = on, then restart the instance",
    ),
    Hosting.AZURE: HostingProfile(
        "Azure Database for PostgreSQL, flexible server",
        "the server's administrator (a member of azure_pg_admin)",
        "set the server parameter wal_level = logical, then restart the server",
        notes=("Its built-in PgBouncer listens on port 6432: source.dsn has port 5432.",),
    ),
    Hosting.SUPABASE: HostingProfile(
        "Supabase",
        "postgres",
        "it is logical there from the start: ask Supabase's support what changed it",
        notes=(
            "source.dsn is the direct connection, db.<project>.supabase.co:5432 (IPv6, or the IPv4 add-on), not the"
            " pooler.",
            "Below Postgres 17 only the role postgres itself may replicate there.",
        ),
    ),
}


def recognised(roles: frozenset[str], *, aurora: bool) -> Hosting:
    """By the roles that only this service has; SELF_HOSTED when there are none."""
    if aurora:
        return Hosting.AURORA
    marks = {
        "rds_superuser": Hosting.RDS,
        "cloudsqlsuperuser": Hosting.CLOUD_SQL,
        "azure_pg_admin": Hosting.AZURE,
        "supabase_admin": Hosting.SUPABASE,
    }
    return next((hosting for role, hosting in marks.items() if role in roles), Hosting.SELF_HOSTED)


async def read_hosting(conn: psycopg.AsyncConnection[Any]) -> Hosting:
    row = await (await conn.execute(_RECOGNISED)).fetchone()
    roles, aurora = row or ([], False)
    return recognised(frozenset(roles), aurora=aurora)


def replication(hosting: Hosting, role: str) -> str:
    """The SQL that lets an existing role replicate."""
    by_role = PROFILES[hosting].by_role
    if by_role is not None:
        return f"GRANT {quoted(by_role)} TO {quoted(role)};"
    return f"ALTER ROLE {quoted(role)} REPLICATION;"
