"""From changed rows to orders: pure, fast, made once from the routes that `search` found.

Must not know SQL or a connection: it reads images by position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.model.changes import UNKNOWN, Changes, Image, Interest, Operation, TableName
from connector.model.orders import Affected, Lookup, OrderKey, encoded
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column
from connector.projection.routes.route import Route, marked

LONGEST_LOOKUP: Final = 2_000
"""Bytes of the values that orders are looked up by: they wait in an index of the checkpoint database, which holds 2,704
bytes of a row. Longer ones are none that anything sensible is joined by, and all orders are compared instead."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What an image doesn't carry: a column (`unchanged`: as it was before, so the reverse index knows the orders), or
    texts short enough to be looked up."""

    what: str
    unchanged: bool


@dataclass(frozen=True, slots=True)
class RowTest:
    """A condition that rows meet which a route is for, and where its column is in an image. `carried`: the old row
    comes whenever the column changes, because it is in the replica identity."""

    position: int
    filter: ColumnFilter
    carried: bool


@dataclass(frozen=True, slots=True)
class RouteReader:
    """Reads one route's columns from an image, by position. `name` is None when the columns are the key itself.
    `padded`: which of them are char(n), whose text in the stream is padded with blanks while `::text` is not.
    `nullable`: see `Lookup`. `carried`: which of them are in the replica identity. `before` reads the row's identity,
    by which the reverse index knows the orders that an updated or deleted row belonged to. `untested`: some condition
    can't be tested, on a column that isn't in the replica identity."""

    name: str | None
    columns: tuple[str, ...]
    positions: tuple[int, ...]
    padded: tuple[bool, ...]
    nullable: tuple[bool, ...] = ()
    before: RouteReader | None = None
    tests: tuple[RowTest, ...] = ()
    carried: tuple[bool, ...] = ()
    untested: bool = False

    def counts(self, image: Image, operation: Operation) -> bool:
        """False when no row with this image belongs to an order by this route. Of an updated row the new image may be
        all that comes: then it stands for the old one, too, as far as the replica identity goes, unless the reverse
        index knows the old one."""
        alone = operation is Operation.INSERT or self.before is not None
        return not self.tests or all(
            test.filter.passes(image[test.position]) for test in self.tests if alone or test.carried
        )

    def known(self, image: Image, operation: Operation, missing: Missing) -> bool:
        """Whether the reverse index has the orders of a row of which something is missing. It has none of a row that
        failed a condition before."""
        if self.before is None or operation is Operation.INSERT or not missing.unchanged:
            return False
        changeable = (image[test.position] is not UNKNOWN for test in self.tests if not test.carried)
        return operation is Operation.DELETE or not (self.untested or any(changeable))

    def read(self, image: Image) -> tuple[str, ...] | Missing | None:
        """The texts; None when one is NULL by which nothing is joined."""
        texts: list[str] = []
        unknown, unchanged = None, True
        nullable = self.nullable or (False,) * len(self.columns)
        carried = self.carried or (True,) * len(self.columns)
        for name, position, padded, null, told in zip(
            self.columns, self.positions, self.padded, nullable, carried, strict=True
        ):
            value = image[position]
            if value is UNKNOWN:
                unknown = name
            elif value is None and not null:
                return None
            else:
                # Beside a long value that was left alone, this one may be another than before.
                unchanged = unchanged and told
                text = value.rstrip(" ") if padded and value is not None else value
                texts.append(marked(text) if null else text or "")
        if unknown is not None:
            return Missing(unknown, unchanged)
        if self.name is not None and _too_long(texts):
            return Missing(f"{', '.join(self.columns)} in {LONGEST_LOOKUP:,} bytes or less", unchanged=False)
        return tuple(texts)


def _too_long(texts: Sequence[str]) -> bool:
    most = 4 * sum(map(len, texts))  # bytes of UTF-8
    return most > LONGEST_LOOKUP and len(encoded(texts).encode()) > LONGEST_LOOKUP


class Routes:
    """Satisfies the pipeline's port of this name."""

    def __init__(self, routes: Sequence[Route], order_table: TableName | None = None) -> None:
        self._order_table = order_table
        wanted: dict[TableName, set[str]] = {}
        for route in routes:
            known = wanted.setdefault(route.table.name, set())
            known.update(column.name for column in route.columns)
            known.update(column.name for column in (route.index.columns if route.index else ()))
            known.update(each.column.name for each in route.filters if each.testable)
        tables = {route.table.name: route.table for route in routes}
        self._interest = {
            name: tuple(column for column in tables[name].columns if column in columns)
            for name, columns in sorted(wanted.items())
        }
        self._readers: dict[TableName, tuple[RouteReader, ...]] = {
            name: tuple(dict.fromkeys(self._reader(route) for route in routes if route.table.name == name))
            for name in self._interest
        }

    @property
    def interest(self) -> Interest:
        return self._interest

    @property
    def by_table(self) -> Mapping[TableName, tuple[RouteReader, ...]]:
        return self._readers

    def affected(self, changes: Changes) -> Affected:
        """The orders that the changes may concern. A table that the mapping doesn't read concerns none."""
        readers = self._readers.get(changes.table, ())
        if not readers:
            return Affected()
        if changes.operation is Operation.TRUNCATE:
            return Affected(sweep=f"truncate of {changes.table}")
        keys: set[OrderKey] = set()
        lookups: set[Lookup] = set()
        sweep = None
        for reader in readers:
            if not reader.columns:
                sweep = f"{changes.operation} on {changes.table}, of which no way leads to single orders"
                continue
            before = reader.before if changes.operation is not Operation.INSERT else None
            for image in changes.images:
                found = reader.read(image) if reader.counts(image, changes.operation) else None
                if isinstance(found, Missing) and not reader.known(image, changes.operation, found):
                    sweep = f"{changes.operation} on {changes.table} does not carry {found.what}"
                elif isinstance(found, tuple) and reader.name is None:
                    keys.add(encoded(found))
                elif isinstance(found, tuple) and reader.name is not None:
                    lookups.add(Lookup(reader.name, found))
                if before is not None:
                    row = before.read(image)
                    if isinstance(row, tuple) and before.name is not None:
                        lookups.add(Lookup(before.name, row))
                    else:
                        sweep = f"{changes.operation} on {changes.table} does not carry its replica identity"
        own = self._rows(changes, readers) if changes.table == self._order_table else frozenset()
        return Affected(frozenset(keys), frozenset(lookups), sweep, own)

    def _rows(self, changes: Changes, readers: Sequence[RouteReader]) -> frozenset[OrderKey]:
        """The orders whose rows changed, those too that the mapping leaves out."""
        found = (reader.read(image) for reader in readers if reader.name is None for image in changes.images)
        return frozenset(encoded(texts) for texts in found if isinstance(texts, tuple) and texts)

    def _reader(self, route: Route) -> RouteReader:
        before = None
        if route.index is not None:
            before = RouteReader(route.index_name, *self._read_by(route.table.name, route.index.columns))
        name = route.name if route.lookup else None
        nullable = route.lookup.nullable if route.lookup else ()
        tests = tuple(
            RowTest(
                self._interest[route.table.name].index(each.column.name), each, each.column.name in route.table.identity
            )
            for each in route.filters
            if each.testable
        )
        carried = tuple(column.name in route.table.identity for column in route.columns)
        untested = any(not each.testable and each.column.name not in route.table.identity for each in route.filters)
        read_by = self._read_by(route.table.name, route.columns)
        return RouteReader(name, *read_by, nullable, before, tests, carried, untested)

    def _read_by(
        self, table: TableName, columns: Sequence[Column]
    ) -> tuple[tuple[str, ...], tuple[int, ...], tuple[bool, ...]]:
        names = self._interest[table]
        return (
            tuple(column.name for column in columns),
            tuple(names.index(column.name) for column in columns),
            tuple(column.type == "bpchar" for column in columns),
        )
