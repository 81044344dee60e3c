"""Whether the server grants us as many connections as we need, seen from a connection that we have.

https://www.postgresql.org/docs/current/sql-createrole.html (CONNECTION LIMIT). Replication connections are counted by
none of these limits. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from connector.model.errors import Problem
from connector.postgres.errors import CONNECTIONS_NEEDED
from connector.postgres.quoting import quoted

LOOKING: Final = 2
"""Those to the source when orders are read elsewhere: one for all looks, and one at times that mends what drifted."""
READING: Final = 3
"""Those to where orders are read elsewhere: two that read, and one at times that analyses a mapping."""
_FEWEST: Final = {CONNECTIONS_NEEDED: 3, LOOKING: 1, READING: 2}
"""With fewer it could not do its work at all."""

# Our own sessions are among those needed, so they don't count as in use.
_ROOM: Final = """
WITH others AS (
  SELECT usename, datname FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND application_name <> current_setting('application_name'))
SELECT r.rolname::text AS role, r.rolsuper AS superuser, r.rolconnlimit AS role_limit,
       (SELECT count(*) FROM others WHERE usename = r.rolname) AS role_used,
       d.datname::text AS database, d.datconnlimit AS database_limit,
       (SELECT count(*) FROM others WHERE datname = d.datname) AS database_used,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0) AS server_limit,
       (SELECT count(*) FROM others) AS server_used
FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class _Room:
    role: str
    superuser: bool
    role_limit: int
    role_used: int
    database: str
    database_limit: int
    database_used: int
    server_limit: int
    server_used: int


async def limit_problems(conn: psycopg.AsyncConnection[Any], needed: int, where: str) -> list[Problem]:
    """What keeps us from having that many connections. `where`: the setting that names the role. Raises
    psycopg.Error."""
    async with conn.cursor(row_factory=class_row(_Room)) as cursor:
        room = await (await cursor.execute(_ROOM)).fetchone()
    if room is None or room.superuser:
        return []
    role, database = quoted(room.role), quoted(room.database)
    found = []
    for what, alter, limit, used in (
        (f"role {room.role}", f"ALTER ROLE {role}", room.role_limit, room.role_used),
        (f"database {room.database}", f"ALTER DATABASE {database}", room.database_limit, room.database_used),
    ):
        if 0 <= limit < needed + used:
            hint = f"let a DBA run: {alter} CONNECTION LIMIT {needed + used};"
            found.append(Problem(_words(what, limit, used, needed), hint, where, warning=limit >= _FEWEST[needed]))
    if room.server_limit < needed + room.server_used:
        hint = "end sessions that nobody needs, or raise max_connections (needs a restart)"
        words = _words("the server", room.server_limit, room.server_used, needed)
        found.append(Problem(words, hint, where, warning=True))
    return found


def _words(what: str, limit: int, used: int, needed: int) -> str:
    others = f", of which others use {used}" if used else ""
    return f"{what} allows {limit} connections at a time{others}; the connector needs {needed}, besides its stream"
