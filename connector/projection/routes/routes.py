"""From changed rows to orders: pure, fast, made once from the ways that `paths` found.

Must not know SQL or a connection: it reads images by position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.model.changes import UNKNOWN, Changes, Image, Interest, Operation, TableName
from connector.model.orders import Affected, Lookup, OrderKey, encoded
from connector.projection.catalog.tables import Column
from connector.projection.routes.route import Way


@dataclass(frozen=True, slots=True)
class Route:
    """How to read one way from an image: positions of its columns, and which of them are char(n), whose stream text is
    padded with blanks while `::text` is not. `name` is None when the columns are the key itself. `before` reads the
    row's identity, by which the reverse index knows the orders that an updated or deleted row belonged to."""

    name: str | None
    columns: tuple[str, ...]
    positions: tuple[int, ...]
    padded: tuple[bool, ...]
    before: Route | None = None

    def read(self, image: Image) -> tuple[str, ...] | str | None:
        """The texts; None when one is NULL (`=` is never true for it); a str names a column that is not known."""
        texts: list[str] = []
        unknown = None
        for name, position, padded in zip(self.columns, self.positions, self.padded, strict=True):
            value = image[position]
            if value is None:
                return None
            if value is UNKNOWN:
                unknown = name
            else:
                texts.append(value.rstrip(" ") if padded else value)
        return unknown if unknown is not None else tuple(texts)


class Routes:
    """Satisfies the pipeline's port of this name."""

    def __init__(self, ways: Sequence[Way], order_table: TableName | None = None) -> None:
        self._order_table = order_table
        wanted: dict[TableName, set[str]] = {}
        for way in ways:
            known = wanted.setdefault(way.table.name, set())
            known.update(column.name for column in way.columns)
            known.update(column.name for column in (way.index.columns if way.index else ()))
        tables = {way.table.name: way.table for way in ways}
        self._interest = {
            name: tuple(column for column in tables[name].columns if column in columns)
            for name, columns in sorted(wanted.items())
        }
        self._routes: dict[TableName, tuple[Route, ...]] = {
            name: tuple(dict.fromkeys(self._route(way) for way in ways if way.table.name == name))
            for name in self._interest
        }

    @property
    def interest(self) -> Interest:
        return self._interest

    @property
    def by_table(self) -> Mapping[TableName, tuple[Route, ...]]:
        return self._routes

    def affected(self, changes: Changes) -> Affected:
        """The orders that the changes may concern. A table that the mapping doesn't read concerns none."""
        routes = self._routes.get(changes.table, ())
        if not routes:
            return Affected()
        if changes.operation is Operation.TRUNCATE:
            return Affected(sweep=f"truncate of {changes.table}")
        keys: set[OrderKey] = set()
        lookups: set[Lookup] = set()
        sweep = None
        for route in routes:
            if not route.columns:
                sweep = f"{changes.operation} on {changes.table}, of which no way leads to single orders"
                continue
            before = route.before if changes.operation is not Operation.INSERT else None
            for image in changes.images:
                found = route.read(image)
                if isinstance(found, str) and before is None:
                    sweep = f"{changes.operation} on {changes.table} does not carry {found}"
                elif isinstance(found, tuple) and route.name is None:
                    keys.add(encoded(found))
                elif isinstance(found, tuple) and route.name is not None:
                    lookups.add(Lookup(route.name, found))
                if before is not None:
                    row = before.read(image)
                    if isinstance(row, tuple) and before.name is not None:
                        lookups.add(Lookup(before.name, row))
                    else:
                        sweep = f"{changes.operation} on {changes.table} does not carry its replica identity"
        own = frozenset(keys) if changes.table == self._order_table else frozenset()
        return Affected(frozenset(keys), frozenset(lookups), sweep, own)

    def _route(self, way: Way) -> Route:
        before = None
        if way.index is not None:
            before = Route(way.index_name, *self._read_by(way.table.name, way.index.columns))
        return Route(way.name if way.lookup else None, *self._read_by(way.table.name, way.columns), before)

    def _read_by(
        self, table: TableName, columns: Sequence[Column]
    ) -> tuple[tuple[str, ...], tuple[int, ...], tuple[bool, ...]]:
        names = self._interest[table]
        return (
            tuple(column.name for column in columns),
            tuple(names.index(column.name) for column in columns),
            tuple(column.type == "bpchar" for column in columns),
        )
