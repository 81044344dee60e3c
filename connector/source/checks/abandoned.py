"""What an earlier connector left behind and nobody uses any more: slots, each of which keeps WAL until the source's
disk is full, and publications that make the OMS's own statements fail. Other publications do no harm.

Neither says who made it nor what for, so these go by name: the default one and names that begin with it, and what the
store remembers. Reads only; dropping is a person's decision, because the connector of another database or environment
may only be stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.source.objects.publication import read_exposed, read_publications
from connector.source.objects.slot import drop_slot_statement

# By `to_jsonb`, because servers before 17 don't know since when. https://www.postgresql.org/docs/current/view-pg-replication-slots.html
_ABANDONED: Final = """
SELECT slot_name::text AS name, database::text, wal_status, pg_size_pretty(here.lsn - restart_lsn) AS retained,
       (to_jsonb(s)->>'inactive_since')::timestamptz AS since
FROM pg_replication_slots s, LATERAL (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                                  ELSE pg_current_wal_lsn() END AS lsn) AS here
WHERE slot_type = 'logical' AND plugin = 'pgoutput' AND NOT active AND slot_name <> %(own)s
  AND (starts_with(slot_name, 'redo_connector') OR slot_name = ANY(%(former)s))
ORDER BY slot_name
"""

_PUBLICATIONS: Final = """
SELECT pubname::text FROM pg_publication WHERE starts_with(pubname, 'redo_connector') AND pubname <> ALL(%s)
"""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A slot that looks like ours and isn't read. `retained`: how much WAL, None once that is lost; `since`: from 17
    on."""

    name: str
    database: str
    wal_status: str | None
    retained: str | None
    since: datetime | None

    def problem(self) -> Problem:
        drop = drop_slot_statement(self.name)
        kept = "it keeps no WAL any more" if self.retained is None else f"it keeps {self.retained} of WAL"
        since = "" if self.since is None else f" since {self.since:%Y-%m-%d %H:%M} UTC"
        what = (
            f"a slot of ours, in database {self.database}, that nobody has read{since}:"
            f" {kept} (wal_status {self.wal_status})"
        )
        return Problem(what, f"if no connector needs it: {drop}", f"slot {self.name}", warning=True)


async def read_abandoned(conn: psycopg.AsyncConnection[Any], own: str, former: Sequence[str]) -> list[Abandoned]:
    """All but `own`, on the whole server. `former`: names that were used before."""
    async with conn.cursor(row_factory=class_row(Abandoned)) as cursor:
        return await (await cursor.execute(_ABANDONED, {"own": own, "former": list(former)})).fetchall()


async def publication_problems(conn: psycopg.AsyncConnection[Any], own: Sequence[str]) -> list[Problem]:
    """Publications that look like ours, are not `own`, and publish updates of tables without a replica identity."""
    names = [name for (name,) in await (await conn.execute(_PUBLICATIONS, (list(own),))).fetchall()]
    found = []
    exposed = await read_exposed(conn, names) if names else {}
    for each in (await read_publications(conn, names)).values():
        failing = each.unidentified | exposed.get(each.name, frozenset())
        if each.needs_identities and failing:
            tables = ", ".join(map(str, sorted(failing)))
            what = f"UPDATEs and DELETEs of {tables} fail, because this publication of ours publishes them"
            drop = f"DROP PUBLICATION {quoted(each.name)};"
            hint = f"if no connector needs it: {drop}"
            found.append(Problem(what, hint, f"publication {each.name}", warning=True))
    return found
