"""Looks at a live database for a starter: which of its tables may hold orders. Reads the catalog; no rows, unless asked
for the words of a status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from connector.inspect.starter.columns import status
from connector.inspect.starter.schema.catalog import read_schema, read_views, with_words
from connector.inspect.starter.schema.facts import TableFacts
from connector.inspect.starter.schema.links import linked
from connector.inspect.starter.schema.names import concepts, shared_prefixes
from connector.inspect.starter.tables import Candidate, Neighbourhood, rank
from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem
from connector.postgres.dsn import conninfo, describe
from connector.postgres.errors import unavailable
from connector.projection.assembly.sessions import ReadSettings, connect

_TIMEOUT_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Look:
    """`around`: the schema; `ranked`: tables that may hold orders, the likeliest first; `views`: what can be none."""

    around: Neighbourhood
    ranked: Sequence[Candidate]
    views: Sequence[TableName] = ()

    def table(self, written: str) -> TableFacts:
        """The table that is called so, with or without its schema and quotes. Raises ConfigurationError."""
        found = [facts for table, facts in self.around.schema.items() if _called(table, written)]
        if len(found) == 1:
            return found[0]
        if not found and any(_called(view, written) for view in self.views):
            raise ConfigurationError([Problem("is a view, which has no key to go by", _OF_VIEWS, written)])
        names = ", ".join(str(facts.name) for facts in found)
        what = f"may be one of {names}" if found else "there is no such table, or the role may not see its schema"
        hint = "write it as schema.table" if found else f"the likeliest are {self.likeliest() or 'none'}"
        raise ConfigurationError([Problem(what, hint, written)])

    def likeliest(self) -> str:
        return ", ".join(str(candidate.table.name) for candidate in self.ranked[:5])

    def advice(self) -> str:
        """What to do where no table is recognised."""
        views = [str(view) for view in self.views if _names_orders(view)]
        seen = f"; of a view ({', '.join(views[:3])}) {_OF_VIEWS}" if views else ""
        return f"name it with --order-table; the likeliest are {self.likeliest() or 'none that is called so'}{seen}"


_OF_VIEWS: Final = "name the table that its orders are rows of, and let the mapping select from the view afterwards"


def _names_orders(view: TableName) -> bool:
    """Beside words that aren't known, which may say of which state they are."""
    return {word for word in concepts(view.name) if not word.endswith("?")} == {"order"}


def _called(table: TableName, written: str) -> bool:
    schema, _, name = written.replace('"', "").casefold().rpartition(".")
    return name == table.name.casefold() and schema in ("", table.schema.casefold())


async def look(dsn: str, schemas: Sequence[str]) -> Look:
    """Raises SourceUnavailable, ConfigurationError for a connection string that can't be read or an empty database."""
    try:
        async with await connect(ReadSettings(conninfo(dsn), _TIMEOUT_MS)) as connection:
            found, views = await read_schema(connection, schemas), await read_views(connection)
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None
    if not found:
        where = f" in schema {', '.join(schemas)}" if schemas else ""
        hint = "check the database's name" + (", and how --schema is written" if schemas else "")
        raise ConfigurationError([Problem(f"{describe(dsn)} has no tables{where}", hint, "source.dsn")])
    prefixes = shared_prefixes([table.name for table in found])
    schema = linked(found, prefixes)
    return Look(Neighbourhood(schema, prefixes), rank(schema, prefixes), views)


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
