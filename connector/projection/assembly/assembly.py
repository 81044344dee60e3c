"""The mapping, run for some orders: every answer with the snapshot it was read in.

Knows the analysed SQL; must not know why an order is asked for, nor what becomes of it. Rows come as JSON text, and
stay text here.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from connector.model.changes import TableName
from connector.model.errors import MappingBroken, OrderUnreadable, Problem, SourceUnavailable
from connector.model.off_loop import Breaks
from connector.model.orders import Diagnosis, KeyPage, KeyShape, Lookup, OrderKey, encoded
from connector.model.rows import Assembly, Row
from connector.postgres.bounded import GRACE
from connector.projection.assembly import statements
from connector.projection.assembly.cross_check import cross_check
from connector.projection.assembly.diagnosis import Diagnostician
from connector.projection.assembly.key_shape import NOT_A_VALUE, misfits, plausible
from connector.projection.assembly.plans import problems
from connector.projection.assembly.plans.look import Plans, look
from connector.projection.assembly.projection import Projection
from connector.projection.assembly.sessions import Pool, ReadSettings, Session, parse_snapshot
from connector.projection.catalog.dependencies import DependencyWatch
from connector.projection.routes.route import Lookup as Reverse
from connector.projection.sql.errors import shown
from connector.projection.sql.keys import array_literal, decode

T = TypeVar("T")

LARGEST: Final = 16 * 2**20
"""Bytes of a document beyond which it is no order, but somebody's archive."""
_READ_AGAIN: Final = 5
"""Times that a reading during which something was altered is repeated at once."""
_COUNTED = 10_000
"""Rows from which on the planner's count is taken, and up to which rows are counted."""


class Assembler:
    """Satisfies the pipeline's port of this name. `aclose` when done. `grace`: seconds that the server has for an
    answer after `statement_timeout_ms`, its own limit; then it counts as gone."""

    def __init__(
        self,
        projection: Projection,
        *,
        read_dsn: str,
        statement_timeout_ms: int,
        grace: float = GRACE,
        fallback_encoding: str | None = None,
    ) -> None:
        """`fallback_encoding`: of bytes that are no text in the database's own encoding, where it lets them in."""
        self._projection = projection
        path, unfiltered = projection.search_path, projection.basis.unfiltered
        reading = ReadSettings(read_dsn, statement_timeout_ms, grace, fallback_encoding, path, unfiltered)
        self._pool = Pool(reading)
        self.dependencies = DependencyWatch(projection.basis)
        self._width = len(projection.key)
        self._query = statements.assemble(projection)
        self._query_of_one = statements.of_one_order(self._query, self._width)
        self._lookups = {use.route.name: use.route.lookup for use in projection.uses if use.route.lookup is not None}

    @property
    def fingerprint(self) -> str:
        return self._projection.fingerprint

    @property
    def key_shape(self) -> KeyShape:
        return self._projection.key_shape

    @property
    def projection(self) -> Projection:
        return self._projection

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def assemble(self, keys: Sequence[OrderKey], largest: int | None = None, *, brief: bool = False) -> Assembly:
        """Rows of the mapping for the keys, in one snapshot. A key without a row is not in `rows`, nor is one of which
        a row has more than `largest` bytes: that's in `oversized`. None: more than `LARGEST` is unreadable. A key
        that can't be one is in `misfits`, and keeps no other from being read. `brief`: within a tenth of the time
        limit."""
        return await self._of_fitting(keys, lambda some, unfit: self._assemble(some, largest, unfit, brief=brief))

    async def _assemble(
        self, keys: Sequence[OrderKey], largest: int | None, unfit: frozenset[OrderKey], *, brief: bool
    ) -> Assembly:
        arrays = self._arrays(keys)
        async with self._pool.session(f"assembling {shown(list(keys))}", brief=brief) as session:
            replayed = await session.replayed()
            query = self._query_of_one if len(keys) == 1 else self._query
            limit = LARGEST if largest is None else largest
            # A plan for any orders reads all partitions, and takes each for one that has some of them.
            rows = await self._read(session, query, [*arrays, limit], plan_once=not self._projection.pruned)
        rows_of: dict[OrderKey, list[Row]] = {}
        members: dict[OrderKey, dict[str, set[str]]] = {}
        oversized: dict[OrderKey, int] = {}
        snapshot, breaks = "", Breaks()
        for found, text, size, *texts in rows:
            if found is None and text is None:
                key = encoded(texts)
                oversized[key] = oversized.get(key, 0) + size
            elif found is None:
                key = encoded(texts)
                rows_of.setdefault(key, []).append(Row(key, session.document(text)))
            elif found.startswith("@"):
                members.setdefault(encoded(texts), {}).setdefault(found, set()).add(encoded(json.loads(text)))
            else:
                snapshot = found
            await breaks.take()
        if oversized and largest is None:
            raise _too_large(oversized)
        for key in oversized:
            rows_of.pop(key, None)
        whole = {key: tuple(found) for key, found in rows_of.items()}
        return Assembly(parse_snapshot(snapshot, replayed), whole, members, oversized, unfit)

    async def resolve(self, lookups: Sequence[Lookup], after: str | None, limit: int) -> KeyPage:
        """Orders that the lookups (all of one route) lead to. A route that the mapping no longer has leads to all, and
        so does a value that is none of its column's any more, or of which an expression can't be computed."""
        names = {lookup.route for lookup in lookups}
        if len(names) > 1:
            raise ValueError("lookups of several routes")
        route = self._lookups.get(next(iter(names), ""))
        if route is None:
            return await self.scan(after, limit) if names else await self._page(None, [], after, 0)
        rows = [lookup.values for lookup in lookups]
        try:
            return await self._page(route, [array_literal(column) for column in zip(*rows, strict=True)], after, limit)
        except OrderUnreadable as error:
            if error.sqlstate not in NOT_A_VALUE:
                raise
            if not (route.computes or await misfits(self._pool, route.value_types, rows)):
                raise
        return await self.scan(after, limit)

    async def scan(self, after: str | None, limit: int) -> KeyPage:
        """All keys of the order table in key order."""
        return await self._page(None, [], after, limit)

    async def absent(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        """Those of the keys that the order table has no row for, keys that can't be one among them."""
        return frozenset(keys) - await self._of_fitting(keys, lambda some, _: self._present(some))

    async def _present(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        if not keys:
            return frozenset()
        query = statements.present(self._projection)
        async with self._pool.session(f"looking for {shown(list(keys))}") as session:
            return frozenset(encoded(row) for row in await self._read(session, query, self._arrays(keys)))

    async def misfits(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        """Those of the keys whose texts can't be an order's, as the order key's columns and types are."""
        fit, unfit = self._decoded(keys)
        rows = [decode(key, self._width) for key in fit]
        found = await misfits(self._pool, self._projection.key_types, rows)
        return unfit | {fit[at] for at in found}

    async def _of_fitting(
        self, keys: Sequence[OrderKey], ask: Callable[[Sequence[OrderKey], frozenset[OrderKey]], Awaitable[T]]
    ) -> T:
        """What the database answers for those keys that fit, given also the others."""
        fit, unfit = self._decoded(keys)
        try:
            return await ask(fit, unfit)
        except OrderUnreadable as error:
            if error.sqlstate not in NOT_A_VALUE or not (more := await self.misfits(fit)):
                raise
        return await ask([key for key in fit if key not in more], unfit | more)

    def _decoded(self, keys: Sequence[OrderKey]) -> tuple[list[OrderKey], frozenset[OrderKey]]:
        unfit = frozenset(key for key in keys if not self._decodes(key))
        return [key for key in keys if key not in unfit], unfit

    def _decodes(self, key: OrderKey) -> bool:
        try:
            texts = decode(key, self._width)
        except ValueError:
            return False
        return all(map(plausible, self.key_shape.columns, texts))

    async def estimate(self) -> int:
        """The planner's count of the order table; a table that it takes for small is counted."""
        async with self._pool.session("counting orders") as session:
            plan = (await session.rows(statements.explain_count(self._projection)))[0][0]
            planned = int(plan[0]["Plan"]["Plan Rows"])
            if planned >= _COUNTED:
                return planned
            return int((await session.rows(statements.count(self._projection), [_COUNTED]))[0][0])

    async def sample(self, size: int) -> tuple[OrderKey, ...]:
        """At most `size` keys, at equal distances, from all over the key range."""
        rows = await self.estimate()
        async with self._pool.session("sampling orders") as session:
            found = await session.catalog_rows(statements.sample(self._projection, size, rows), [size])
        return tuple(encoded(row) for row in found)

    async def newest(self, size: int) -> tuple[OrderKey, ...]:
        """The last keys in key order, the last one first."""
        async with self._pool.session("looking for the newest orders") as session:
            found = await session.catalog_rows(statements.last(self._projection), [size])
        return tuple(encoded(row) for row in found)

    async def diagnose(self, sqlstate: str) -> Diagnosis | None:
        """What of the mapping fails in this way whichever orders are asked for; None when that can't be told. Runs
        parts of the mapping for all orders, within bounds."""
        async with self._pool.session("looking for what of the mapping fails") as session:
            return await Diagnostician(session, self._projection, sqlstate).find()

    async def redefined(self) -> bool:
        """Whether a view, function, operator or type that the mapping uses is another one than as it was analysed, or
        is no longer to be trusted."""
        used, path = self._projection.used, self._projection.search_path
        try:
            async with (
                self._pool.session("reading what the mapping uses") as session,
                path.suspended(session.connection),
            ):
                await path.verify(session.connection)
                opened = await path.names.open_schemas(session.rows)
                return opened != path.open or await used.definitions.digest(session.rows) != used.digest
        except MappingBroken:
            return True

    def superseded_by(self, projection: Projection) -> bool:
        """Whether what it stands on is otherwise than as this one was analysed, so that this one must not go on."""
        return self.dependencies.differs(projection.basis)

    async def plans(self) -> Plans:
        """What each statement reads whole, and how many orders a changed row leads to."""
        keys = (await self.scan(None, 1)).keys
        async with self._pool.session("planning the mapping") as session:
            return await look(session, self._projection, keys[0] if keys else None)

    async def plan_problems(self, insert_only: Collection[TableName] = ()) -> list[Problem]:
        """Warnings: large tables read whole, rows that lead to very many orders, replica identities that lack a
        route's columns, but of tables that are `insert_only`."""
        return problems.plan_problems(self._projection, await self.plans(), insert_only)

    async def cross_check(self, keys: Sequence[OrderKey]) -> list[Problem]:
        """A problem when the restricted query answers otherwise than the mapping for these orders. Runs all of it."""
        async with self._pool.session(f"comparing {shown(list(keys))} with the whole mapping") as session:
            return await cross_check(session, self._projection, keys)

    def _arrays(self, keys: Sequence[OrderKey]) -> list[str]:
        decoded = [decode(key, self._width) for key in keys]
        return [array_literal(column) for column in zip(*decoded, strict=True)] or [array_literal(())] * self._width

    async def _page(self, lookup: Reverse | None, arrays: list[str], after: str | None, limit: int) -> KeyPage:
        query = statements.page(self._projection, lookup, after is not None)
        try:
            position = decode(after, self._width) if after is not None else ()
        except ValueError:
            raise OrderUnreadable("no position in the order of keys", "22P02") from None
        async with self._pool.session("looking for orders") as session:
            replayed = await session.replayed()
            snapshot, rows = await self._paged(session, query, [*arrays, *position, limit])
        keys = tuple(encoded(row) for row in rows)
        return KeyPage(parse_snapshot(snapshot, replayed), keys, keys[-1] if limit and len(keys) == limit else None)

    async def _paged(self, session: Session, query: str, parameters: list[Any]) -> tuple[str, list[list[str]]]:
        row = (await self._read(session, statements.with_snapshot(query), parameters))[0]
        return row[0], [json.loads(text) for text in row[1]]

    async def _read(
        self, session: Session, query: str, parameters: Sequence[Any], *, plan_once: bool = False
    ) -> list[tuple[Any, ...]]:
        """The rows, when what they stand on was the same all the time. Raises ReadingVoid, SourceUnavailable."""
        for _ in range(_READ_AGAIN):
            begun = self.dependencies.stamp
            question = self.dependencies.question()
            rows, answers = await session.rows_and_later(query, parameters, *question, plan_once=plan_once)
            if await self.dependencies.counts(begun, answers[0], session.catalog_rows):
                return rows
            await session.verify_path()
        raise SourceUnavailable("tables or functions of the mapping are altered all the time: nothing can be read")


def _too_large(oversized: Mapping[OrderKey, int]) -> OrderUnreadable:
    key, size = next(iter(oversized.items()))
    megabytes = f"it has {size / 2**20:,.1f} MB, and an order may have {LARGEST // 2**20}"
    cause = f"an order may have {LARGEST // 2**20} MB: leave large columns out of the mapping"
    message = f"{megabytes}: leave large columns out of the mapping: order {shown([key])}"
    return OrderUnreadable(message, "54000", cause)
