"""Taking tables out of our publications, or narrowing what these publish, when the OMS's own statements fail for them.

A table that loses its replica identity fails its own UPDATEs and DELETEs from that moment on, until it leaves the
publication. No event announces it, so it is looked for often, without waiting for a lock. Other drift of the source's
objects can wait (`drift`, `setup.mend`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from connector.model.changes import TableName
from connector.model.errors import SourceUnavailable
from connector.postgres.connections import KeptConnection
from connector.postgres.errors import explain
from connector.source.objects.commit_probe import CommitProbe
from connector.source.objects.publication import (
    EVERYTHING,
    INSERTS,
    drop_statement,
    options_statement,
    read_publications,
)
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.replica_identities import ENDANGERED

# The lock on a table may be held for hours: by VACUUM, ANALYZE or CREATE INDEX CONCURRENTLY.
_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '200ms'"
_TRUSTED_FOR: Final = 10.0
"""Seconds between looks at the least, though nothing was committed meanwhile."""


@dataclass(frozen=True, slots=True)
class FailingTable:
    """A table, mapped or not, whose own UPDATEs and DELETEs fail. `by_option`: they don't once the publication
    publishes stored generated columns, too."""

    publication: str
    table: TableName
    by_option: bool


class PublicationRepair:
    """Looks and acts over the connection that all looks share."""

    def __init__(self, looks: KeptConnection, publication: str) -> None:
        self._looks = looks
        self._names = [publication, inserts_name(publication)]
        self._commits = CommitProbe(_TRUSTED_FOR)
        self._took = 0.0

    async def look(self) -> list[FailingTable]:
        """Raises SourceUnavailable."""
        async with self._looks.use() as conn:
            if await self._commits.none_since(conn):
                return []
            began = time.monotonic()
            try:
                rows = await (await conn.execute(ENDANGERED, (self._names,))).fetchall()
            except BaseException:
                self._commits.forget()
                raise
            self._took = time.monotonic() - began
        if rows:
            self._commits.forget()
        return [FailingTable(row[0], TableName(row[1], row[2]), row[3]) for row in rows]

    def pause(self, least: float) -> float:
        """Seconds until the next look: `least`, unless so many partitions are looked at that this would cost the
        server more than a twentieth of a core."""
        return max(least, min(20 * self._took, _TRUSTED_FOR))

    async def repair(self, found: Sequence[FailingTable]) -> None:
        """Take them out of the publication. Where a lock on the table keeps us from that, the publication stops
        publishing updates and deletes at all, which needs none. `setup.mend` puts both right later. Raises
        SourceUnavailable."""
        async with self._looks.use() as conn:
            try:
                await self._repair(conn, found)
            except psycopg.Error as error:
                tables = ", ".join(sorted({str(each.table) for each in found}))
                what = f"{tables} could not be taken out of the publication: {explain(error)}"
                raise SourceUnavailable(what) from None

    async def _repair(self, conn: psycopg.AsyncConnection[Any], found: Sequence[FailingTable]) -> None:
        await _publish_generated(conn, {each.publication for each in found if each.by_option})
        locked = [each for each in found if not each.by_option and not await _dropped(conn, each)]
        for name in sorted({each.publication for each in locked}):
            await _alter(conn, options_statement(name, INSERTS, generated=False))


def statements(found: Sequence[FailingTable]) -> str:
    """The SQL that takes them out of danger."""
    told = [
        options_statement(each.publication, EVERYTHING, generated=True)
        if each.by_option
        else drop_statement(each.publication, each.table)
        for each in found
    ]
    return " ".join(f"{statement.as_string()};" for statement in told)


async def _publish_generated(conn: psycopg.AsyncConnection[Any], names: set[str]) -> None:
    for each in (await read_publications(conn, sorted(names))).values():
        await _alter(conn, options_statement(each.name, tuple(each.operations), generated=True))


async def _alter(conn: psycopg.AsyncConnection[Any], statement: sql.Composed) -> None:
    """On the connection that only reads otherwise, so that no new one is needed while the OMS fails."""
    async with conn.transaction():
        await conn.execute("SET TRANSACTION READ WRITE")
        await conn.execute(_LOCK_TIMEOUT)
        await conn.execute(statement)


async def _dropped(conn: psycopg.AsyncConnection[Any], each: FailingTable) -> bool:
    """False when the table is locked."""
    try:
        await _alter(conn, drop_statement(each.publication, each.table))
    except psycopg.errors.LockNotAvailable:
        return False
    except (psycopg.errors.UndefinedObject, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return True  # it is out of danger: dropped, renamed, or taken out by somebody else
    return True
