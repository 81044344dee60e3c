"""Which part of the mapping fails when every order does, and for which order's row: by running its parts apart, and
then for ever smaller ranges of orders.

Reads only. Bounded in queries and in time: when a bound is reached, less is known. Must not know what it is needed for.
"""

# ruff: noqa: S608  names come quoted from the catalog, the mapping is the operator's SQL, values are parameters

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import psycopg

from connector.model.orders import Diagnosis, encoded
from connector.projection.assembly import statements
from connector.projection.assembly.parts import Part, in_range
from connector.projection.assembly.projection import Projection
from connector.projection.assembly.sessions import Session

SECONDS = 30.0
QUERIES = 300
DIVISIONS = 8
"""A range of orders that fails is divided into so many."""

Bound = tuple[str, ...] | None
"""A key's texts; None: there is no bound."""


class Diagnostician:
    """One search, in one session."""

    def __init__(
        self, session: Session, projection: Projection, sqlstate: str, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._projection = projection
        self._sqlstate = sqlstate
        self._timer = timer
        self._until = timer() + SECONDS
        self._left = QUERIES

    async def find(self) -> Diagnosis | None:
        """None when no part fails in this way by itself."""
        for part in self._projection.parts:
            if await self._fails(part.statement, []):
                order = await self._order(part)
                return Diagnosis(part.title, None if order is None else encoded(order))
        return None

    async def _order(self, part: Part) -> Bound:
        """The order whose rows alone make the part fail; None when there is none, or it wasn't found in time."""
        if part.ranged is None:
            return None
        low: Bound = None
        high: Bound = None
        while edges := await self._edges(low, high):
            found = await self._failing(part.ranged, edges)
            if found is None:
                return None  # mended meanwhile, or it fails for no order alone
            low, high = found
        # Rows of no order may lie between two keys.
        return low if low is not None and await self._fails(part.alone, [*low]) else None

    async def _failing(self, query: str, edges: list[Bound]) -> tuple[Bound, Bound] | None:
        for low, high in pairwise(edges):
            if await self._fails(query, self._range(low, high)):
                return low, high
        return None

    async def _edges(self, low: Bound, high: Bound) -> list[Bound]:
        """The range, divided at keys; empty when it has a single one, or a bound of ours is reached."""
        names = [f"k{number}" for number in range(1, len(self._projection.key) + 1)]
        order, types = ", ".join(names), self._projection.key_types
        texts = ", ".join(f"{name}::text" for name in names)
        numbered = (
            f"SELECT {order}, row_number() OVER (ORDER BY {order}) - 1 AS nth, count(*) OVER () AS total "
            f"FROM ({statements.scan(self._projection)}) AS q WHERE {in_range(names, types)}"
        )
        step = f"greatest(1, (total + {DIVISIONS - 1}) / {DIVISIONS})"
        query = f"SELECT {texts} FROM ({numbered}) AS n WHERE nth % {step} = 0 ORDER BY nth"
        if self._spent():
            return []
        try:
            inside: list[Bound] = [tuple(row) for row in await self._session.rows(query, self._range(low, high))]
        except psycopg.Error:  # so many orders that it takes too long, or another key since
            if not self._session.usable:
                raise
            return []
        if low is not None:
            del inside[:1]  # it is the lower bound itself
        return [low, *inside, high] if inside else []

    def _range(self, low: Bound, high: Bound) -> list[object]:
        width = len(self._projection.key)
        return [low is None, high is None, *(low or [None] * width), *(high or [None] * width)]

    async def _fails(self, query: str, parameters: list[object]) -> bool:
        """Whether it fails in the way that is looked for."""
        if self._spent():
            return False
        await self._session.verify_path()  # others may have created an object meanwhile
        try:
            await self._session.rows(query, parameters)
        except psycopg.Error as error:
            if not self._session.usable:
                raise
            return error.sqlstate == self._sqlstate
        return False

    def _spent(self) -> bool:
        self._left -= 1
        return self._left < 0 or self._timer() > self._until
