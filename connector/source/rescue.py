"""Letting the OMS write again when a publication of ours makes its statements fail.

A table that loses its replica identity fails its own UPDATEs and DELETEs from that moment on, until it leaves the
publication. Nothing tells us of it, so somebody has to look often: `Rescuer.look` waits for no lock. What else drifted
has time (`drift`, `setup.mend`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from connector.changes import TableName
from connector.errors import SourceUnavailable
from connector.source.connections import ANSWER, KeptConnection, connection, explain
from connector.source.identities import ENDANGERED
from connector.source.pair import inserts_name
from connector.source.publication import EVERYTHING, INSERTS, drop_statement, options_statement, read_publications

_LOCK_TIMEOUT: Final = 0.2
"""Seconds to wait for the lock on a table, which VACUUM, ANALYZE or CREATE INDEX CONCURRENTLY may hold for hours."""


@dataclass(frozen=True, slots=True)
class Endangered:
    """A table, mapped or not, whose own UPDATEs and DELETEs fail. `by_option`: they don't once the publication
    publishes stored generated columns, too."""

    publication: str
    table: TableName
    by_option: bool


class Rescuer:
    """Looks over one connection of its own, kept open; each answer must come `within` seconds."""

    def __init__(self, dsn: str, publication: str, within: float = ANSWER) -> None:
        self._dsn = dsn
        self._names = [publication, inserts_name(publication)]
        self._connection = KeptConnection(dsn, within)

    async def look(self) -> list[Endangered]:
        """Raises SourceUnavailable."""
        async with self._connection.use() as conn:
            rows = await (await conn.execute(ENDANGERED, (self._names,))).fetchall()
        return [Endangered(row[0], TableName(row[1], row[2]), row[3]) for row in rows]

    async def rescue(self, found: Sequence[Endangered]) -> None:
        """Take them out of the publication. Where a lock on the table keeps us from that, the publication stops
        publishing updates and deletes at all, which needs none. `setup.mend` puts both right later. Raises
        SourceUnavailable."""
        try:
            async with connection(self._dsn, read_only=False, lock_timeout=_LOCK_TIMEOUT) as conn:
                await _publish_generated(conn, {each.publication for each in found if each.by_option})
                locked = [each for each in found if not each.by_option and not await _dropped(conn, each)]
                for name in sorted({each.publication for each in locked}):
                    await conn.execute(options_statement(name, INSERTS, generated=False))
        except psycopg.Error as error:
            tables = ", ".join(sorted({str(each.table) for each in found}))
            raise SourceUnavailable(f"{tables} could not be taken out of the publication: {explain(error)}") from None

    async def close(self) -> None:
        await self._connection.close()


def statements(found: Sequence[Endangered]) -> str:
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
        await conn.execute(options_statement(each.name, tuple(each.operations), generated=True))


async def _dropped(conn: psycopg.AsyncConnection[Any], each: Endangered) -> bool:
    """False when the table is locked."""
    try:
        await conn.execute(drop_statement(each.publication, each.table))
    except psycopg.errors.LockNotAvailable:
        return False
    except (psycopg.errors.UndefinedObject, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return True  # it is out of danger: dropped, renamed, or taken out by somebody else
    return True
