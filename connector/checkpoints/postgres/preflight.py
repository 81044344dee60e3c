"""What `check` says of a checkpoint database: looked at, and left alone."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres.connection import connect, describe, unwritable
from connector.checkpoints.postgres.migrations import version_of
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem

_MAY_MAKE: Final = "SELECT has_database_privilege(current_database(), 'CREATE'), current_database(), current_user"
_MAY_FILL: Final = """
SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE'), nspname, current_user
FROM pg_namespace WHERE nspname = %s
"""
_MAY_WRITE: Final = """
SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'
  AND NOT has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE')
"""
# What others put into the schema would be found by names that pg_catalog has for other types only.
_OTHERS: Final = """
SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
FROM pg_namespace n CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
WHERE n.nspname = %s AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
  AND a.grantee NOT IN (SELECT oid FROM pg_roles WHERE rolsuper OR rolname = current_user) ORDER BY 1
"""


def preflight(address: Address) -> list[Problem]:
    """Whether the store there could be opened and written."""
    try:
        with connect(address, read_only=False) as session:
            try:
                return [*_problems(session, address), *_open_problems(session, address)]
            except psycopg.Error as error:
                raise unwritable(address, error) from None
    except ConfigurationError as error:
        return [*error.problems]
    except CheckpointsUnwritable as error:
        return [Problem(str(error), where=SETTING)]


def _problems(session: Connection[Any], address: Address) -> list[Problem]:
    version = version_of(session, address)
    if version:
        # By the oid: the name needs quoting as SQL does it.
        row = session.execute(_MAY_WRITE, (sql.Identifier(address.schema).as_string(session),)).fetchone()
        if row is None or row[0] == 0:
            return []
        what = f"{describe(address)}: the role may not write {row[0]} of the tables"
        return [Problem(what, "connect as the role that made them: their owner", SETTING)]
    if version is None:
        allowed, place, role = session.execute(_MAY_MAKE).fetchone() or (True, "", "")
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {};")
    else:
        allowed, place, role = session.execute(_MAY_FILL, (address.schema,)).fetchone() or (True, "", "")
        grant = sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {};")
    if allowed:
        return []
    what = f"{describe(address)}: the role may not make its {'schema' if version is None else 'tables'} there"
    return [Problem(what, f"let a DBA run: {grant.format(*map(sql.Identifier, (place, role))).as_string()}", SETTING)]


def _open_problems(session: Connection[Any], address: Address) -> list[Problem]:
    others = ", ".join(name for (name,) in session.execute(_OTHERS, (address.schema,)).fetchall())
    if not others:
        return []
    revoke = sql.SQL("REVOKE CREATE ON SCHEMA {} FROM ").format(sql.Identifier(address.schema)).as_string()
    what = f"{describe(address)}: others may create in it, and what they put there could be run by the connector"
    return [Problem(what, f"let a DBA run: {revoke}{others};", SETTING, warning=True)]
