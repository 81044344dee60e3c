"""Looks at a live database for a starter: which of its tables may hold orders. Reads the catalog; no rows, unless asked
for the words of a status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from connector.inspect.starter.columns import status
from connector.inspect.starter.schema.catalog import read_schema, with_words
from connector.inspect.starter.schema.facts import TableFacts
from connector.inspect.starter.schema.links import linked
from connector.inspect.starter.schema.names import shared_prefixes
from connector.inspect.starter.tables import Candidate, Neighbourhood, rank
from connector.model.errors import ConfigurationError, Problem
from connector.postgres.dsn import conninfo
from connector.postgres.errors import unavailable
from connector.projection.assembly.sessions import ReadSettings, connect

_TIMEOUT_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Look:
    """`around`: the schema; `ranked`: tables that may hold orders, the likeliest first."""

    around: Neighbourhood
    ranked: Sequence[Candidate]

    def table(self, written: str) -> TableFacts:
        """The table that is called so, with or without its schema. Raises ConfigurationError."""
        schema, _, name = written.rpartition(".")
        found = [
            facts
            for table, facts in self.around.schema.items()
            if name.casefold() == table.name.casefold() and schema.casefold() in ("", table.schema.casefold())
        ]
        if len(found) == 1:
            return found[0]
        names = ", ".join(str(facts.name) for facts in found)
        what = f"may be one of {names}" if found else "there is no such table, or the role may not see its schema"
        hint = "write it as schema.table" if found else f"the likeliest are {self.likeliest() or 'none'}"
        raise ConfigurationError([Problem(what, hint, written)])

    def likeliest(self) -> str:
        return ", ".join(str(candidate.table.name) for candidate in self.ranked[:5])


async def look(dsn: str, schemas: Sequence[str]) -> Look:
    """Raises SourceUnavailable, ConfigurationError for a connection string that can't be read or an empty database."""
    try:
        async with await connect(ReadSettings(conninfo(dsn), _TIMEOUT_MS)) as connection:
            found = await read_schema(connection, schemas)
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None
    if not found:
        hint = "name a database with the OMS's tables, and a role that may use their schema"
        raise ConfigurationError([Problem("has no tables that this role can see", hint, "source.dsn")])
    prefixes = shared_prefixes([table.name for table in found])
    schema = linked(found, prefixes)
    return Look(Neighbourhood(schema, prefixes), rank(schema, prefixes))


async def sampled(dsn: str, order: TableFacts) -> TableFacts:
    """With the words that its status has in some rows. Raises SourceUnavailable."""
    state = status(order)
    if state is None:
        return order
    try:
        async with await connect(ReadSettings(conninfo(dsn), _TIMEOUT_MS)) as connection:
            return await with_words(connection, order, [state])
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None
