"""Where the names of a mapping are looked up: resolved once, by the path that the reading role has by configuration,
and run by a path of ours on which nothing is found that an unprivileged role could have put there.

Knows the sessions of both; must not know what the mapping says.
Source: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psycopg import AsyncConnection

from connector.model.errors import MappingBroken, Problem
from connector.postgres.bounded import SEARCH_PATH
from connector.postgres.quoting import quoted
from connector.projection.catalog.untrusted import Candidate, LookedUpNames, revoked


@dataclass(frozen=True, slots=True)
class SearchPath:
    """`schemas`: where names of functions, operators and types are looked up beside pg_catalog. Of those that others
    may create in (`open`), only the ones that hold something of a name that the mapping uses are among them. `exposed`:
    something that it uses is in such a schema, so that before each reading untrusted objects are looked for."""

    schemas: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    exposed: bool = False
    names: LookedUpNames = field(default_factory=lambda: LookedUpNames((), (), (), (), (), (), ()))

    @property
    def statement(self) -> str:
        return f"SET search_path TO {', '.join(['pg_catalog', *map(quoted, self.schemas), 'pg_temp'])}"

    async def enter(self, connection: AsyncConnection[Any]) -> None:
        """Have a session that looks up by pg_catalog alone run the mapping. Raises MappingBroken when a name of
        it may mean an untrusted object, psycopg.Error."""
        await self.verify(connection)
        await connection.execute(self.statement)

    async def verify(self, connection: AsyncConnection[Any]) -> None:
        """Raises MappingBroken when a name of the mapping may mean an untrusted object; psycopg.Error."""
        if not self.names.path:
            return
        found = await self.names.candidates(partial(rows, connection))
        refused = next((each for each in found if each.refused), None)
        if refused is not None:
            raise MappingBroken(f"{refused.what}; {refused.hint}")

    @asynccontextmanager
    async def suspended(self, connection: AsyncConnection[Any]) -> AsyncIterator[None]:
        """For queries of ours in a session that runs the mapping. Raises psycopg.Error."""
        await connection.execute(SEARCH_PATH)
        try:
            yield
        finally:
            if not connection.closed:
                await connection.execute(self.statement)

    def problems(self) -> list[Problem]:
        """Warnings of schemas that others may create in."""
        what = (
            "schema {} is in the search path, and others may create in it: what they put there could be taken for what"
            " the mapping means{}"
        )
        watched = "; functions, operators and types in it that the mapping may mean are looked at before each reading"
        return [
            Problem(
                what.format(schema, watched if schema in self.schemas else ", so the mapping doesn't look there"),
                f"let a DBA run: {revoked(schema)} (\\dn+ {schema} in psql shows who else may)",
                "source.dsn",
                warning=True,
            )
            for schema in self.open
        ]


async def configured_path(connection: AsyncConnection[Any]) -> tuple[str, ...]:
    """The schemas that the role's sessions look in, in order, pg_catalog among them; as far as they exist and the role
    may use them. Raises psycopg.Error."""
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path TO DEFAULT")
        row = await (await connection.execute("SELECT pg_catalog.current_schemas(false)")).fetchone()
    found = [name for name in (row[0] if row else ()) if not name.startswith("pg_temp")]
    return (*(() if "pg_catalog" in found else ("pg_catalog",)), *found)


async def running_path(names: LookedUpNames, connection: AsyncConnection[Any]) -> tuple[SearchPath, list[Candidate]]:
    """The path to run the mapping by, and what of it is refused. Raises psycopg.Error."""
    ask = partial(rows, connection)
    found = await names.candidates(ask)
    opened = await names.open_schemas(ask)
    needed = {each.schema for each in found}
    schemas = [name for name in names.path if name != "pg_catalog" and (name not in opened or name in needed)]
    exposed = any(each.open for each in found)
    return SearchPath(tuple(schemas), opened, exposed, names), [each for each in found if each.refused]


@asynccontextmanager
async def using_path(connection: AsyncConnection[Any], path: SearchPath) -> AsyncIterator[None]:
    """For statements of the mapping in a session of ours that looks up by pg_catalog alone. Raises psycopg.Error."""
    await connection.execute(path.statement)
    try:
        yield
    finally:
        if not connection.closed:
            await connection.execute(SEARCH_PATH)


async def rows(connection: AsyncConnection[Any], query: str, given: Sequence[object]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, given)).fetchall()
