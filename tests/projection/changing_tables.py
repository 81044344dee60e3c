"""A mapping's tables changed at random, and which orders routes, lookups and the reverse index name for the changes.

Changes come as the stream has them: of a deleted row its replica identity, of an updated row the old one only where
its identity changes. The reverse index is what assembly said of the orders when they were last affected.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias

import psycopg

from connector.model.changes import UNKNOWN, Changes, Image, Operation, TableName
from connector.model.orders import Lookup, Members, OrderKey, encoded
from connector.projection import Assembler, Projection
from connector.projection.assembly.projection import Use

Value: TypeAlias = Callable[[TableName, str, str, bool], str | None]
"""A text for a column of a table, of a type, which may be required."""
_SHORT = ("int8", "int4", "uuid", "timestamp", "date", "timestamptz", "bool", "shop.grade", "shop.line_kind")
"""Types of which the stream never leaves a value out."""


class ChangingTables:
    """The tables of a mapping, changed at random, with the images that the stream would carry. `apart`: the share of
    updates of which the stream leaves out the long values that were left alone (TOAST)."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        projection: Projection,
        random: Random,
        value: Value,
        apart: float = 0.15,
    ) -> None:
        self.connection = connection
        self.projection = projection
        self.random = random
        self.value = value
        self.apart = apart
        self.columns = {name: self._columns(name) for name in projection.tables}
        query = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind = 'p'"""
        self.partitioned = {TableName(*row) for row in connection.execute(query).fetchall()}
        self.identities = {table.name: table.identity for table in projection.followed}
        for use in projection.uses:
            if not can_tell_all(use):
                # Only a reconcile mends what such a table's stream doesn't tell. Here it tells all.
                self.identities[use.route.table.name] = frozenset(use.route.table.columns)

    def fill(self, rows: Mapping[TableName, int]) -> None:
        for name, wanted in rows.items():
            for _ in range(wanted):
                self._insert(name)

    def transaction(self) -> list[Changes]:
        """A few row changes in one transaction."""
        with self.connection.transaction():
            return [
                change
                for _ in range(self.random.choice((1, 1, 2, 4)))
                for change in self._change(self.random.choice(self.projection.tables))
            ]

    def rows(self) -> dict[str, list[str]]:
        """The mapping's rows as JSON text, by id, read as a user would."""
        found = defaultdict(list)
        statement = f"SELECT whole.id::text, row_to_json(whole)::text FROM (\n{self.projection.statement}\n) whole"
        for order, text in self.connection.execute(statement).fetchall():
            if order is not None:
                found[order].append(text)
        return {order: sorted(texts) for order, texts in found.items()}

    def _columns(self, name: TableName) -> list[tuple[str, str, bool]]:
        query = """SELECT attname,
            CASE typnamespace WHEN 'pg_catalog'::regnamespace THEN '' ELSE typnamespace::regnamespace || '.' END
            || typname, attnotnull FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
            WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = '' ORDER BY attnum"""
        return self.connection.execute(query, (_quoted(name),)).fetchall()

    def _row(self, name: TableName) -> list[str | None]:
        return [self.value(name, *column) for column in self.columns[name]]

    def kind(self, _: TableName) -> Operation:
        return self.random.choice((Operation.INSERT, Operation.UPDATE, Operation.UPDATE, Operation.DELETE))

    def updated(self, name: TableName) -> tuple[str, str, bool]:
        """As often as not a column by which something is joined."""
        routed = [column for column in self.columns[name] if column[0] in self.projection.routes.interest[name]]
        return self.random.choice(routed if routed and self.random.random() < 0.5 else self.columns[name])

    def _change(self, name: TableName) -> list[Changes]:
        kind = self.kind(name)
        if kind is Operation.UPDATE:
            return self._update(name)
        images = self._insert(name) if kind is Operation.INSERT else self._delete(name)
        return [Changes(name, kind, 1, tuple(images))] if images else []

    def _insert(self, name: TableName) -> list[Any]:
        marks = ", ".join(f"%s::{kind}" for _, kind, _ in self.columns[name])
        names = ", ".join(f'"{column}"' for column, _, _ in self.columns[name])
        query = (
            f"INSERT INTO {_quoted(name)} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING tableoid, ctid"
        )
        with suppress(psycopg.IntegrityError), self.connection.transaction():
            return self._images(name, self.connection.execute(query, self._row(name)).fetchone())
        return []

    def _update(self, name: TableName) -> list[Changes]:
        place = self._any(name)
        old = self._images(name, place)
        column, kind, required = self.updated(name)
        value = self.value(name, column, kind, required)
        query = f"""UPDATE {_quoted(name)} SET "{column}" = %s::{kind} WHERE (tableoid, ctid) = (%s, %s::tid)
            RETURNING tableoid, ctid"""
        with suppress(psycopg.IntegrityError), self.connection.transaction():
            new = self.connection.execute(query, (value, *(place or (0, "(0,0)")))).fetchone()
            return self._carried(name, old, self._left_out(name, column, self._images(name, new))) if new else []
        return []

    def _delete(self, name: TableName) -> list[Any]:
        place = self._any(name)
        old = self._images(name, place)
        if place:
            query = f"DELETE FROM {_quoted(name)} WHERE (tableoid, ctid) = (%s, %s::tid)"
            self.connection.execute(query, place)
        return [self._identity(name, image) for image in old]

    def _carried(self, name: TableName, old: list[Image], new: list[Image]) -> list[Changes]:
        """What the stream has of an updated row."""
        if self._whole(name):
            return [Changes(name, Operation.UPDATE, 1, (*old, *new))]
        before = [self._identity(name, image) for image in old]
        if before == [self._identity(name, image) for image in new]:
            return [Changes(name, Operation.UPDATE, 1, tuple(new))]
        return [Changes(name, Operation.DELETE, 1, tuple(before)), Changes(name, Operation.INSERT, 1, tuple(new))]

    def _left_out(self, name: TableName, changed: str, new: list[Image]) -> list[Image]:
        """At times without the values that are long and were left alone (TOAST)."""
        if self._whole(name) or not self.apart or self.random.random() >= self.apart:
            return new
        kept = {changed, *self.identities[name], *(column for column, kind, _ in self.columns[name] if kind in _SHORT)}
        wanted = self.projection.routes.interest[name]
        return [tuple(v if c in kept else UNKNOWN for c, v in zip(wanted, image, strict=True)) for image in new]

    def _whole(self, name: TableName) -> bool:
        return self.identities[name] >= {column for column, _, _ in self.columns[name]}

    def _identity(self, name: TableName, image: Image) -> Image:
        wanted = self.projection.routes.interest[name]
        kept = self.identities[name]
        return tuple(value if column in kept else UNKNOWN for column, value in zip(wanted, image, strict=True))

    def _any(self, name: TableName) -> Any:
        only = "" if name in self.partitioned else "ONLY "
        rows = self.connection.execute(f"SELECT tableoid, ctid FROM {only}{_quoted(name)}").fetchall()
        return self.random.choice(rows) if rows else None

    def _images(self, name: TableName, place: Any) -> list[Any]:
        """The row in the types' output text, as the stream sends it (char(n) padded)."""
        if place is None:
            return []
        wanted = self.projection.routes.interest[name]
        if not wanted:
            return [()]
        columns = ", ".join(f'"{column}"' for column in wanted)
        query = f"SELECT {columns} FROM {_quoted(name)} WHERE (tableoid, ctid) = (%s, %s::tid)"
        result = self.connection.execute(query, place).pgresult
        assert result is not None
        values = [result.get_value(0, number) for number in range(len(wanted))]
        return [tuple(None if value is None else value.decode() for value in values)]


def can_tell_all(use: Use) -> bool:
    """The stream, with the reverse index, tells of a deleted or moved row which orders it belonged to."""
    route = use.route
    return route.index is not None or {column.name for column in route.columns} <= route.table.identity


def _quoted(name: TableName) -> str:
    return f'"{name.schema}"."{name.name}"'


class ReverseIndex:
    """What the store would hold: of each order the rows that it had when it was assembled last."""

    def __init__(self) -> None:
        self._members: dict[OrderKey, Members] = {}

    async def enroll(self, assembler: Assembler, keys: set[OrderKey]) -> None:
        assembly = await assembler.assemble(sorted(keys))
        self._members |= {key: assembly.members.get(key, {}) for key in keys}

    def orders_of(self, lookup: Lookup) -> set[OrderKey]:
        row = encoded(lookup.values)
        return {key for key, rows in self._members.items() if row in rows.get(lookup.route, ())}


async def affected_keys(
    projection: Projection, assembler: Assembler, index: ReverseIndex, changes: list[Changes]
) -> set[OrderKey]:
    keys: set[OrderKey] = set()
    for change in changes:
        affected = projection.routes.affected(change)
        if affected.sweep is not None:
            swept = {
                use.route.table.name for use in projection.uses if use.route.kind == "sweep" or not can_tell_all(use)
            }
            lacking = change.operation is not Operation.DELETE and any(UNKNOWN in image for image in change.images)
            assert change.table in swept or lacking
            keys |= set((await assembler.scan(None, 1000)).keys)
        keys |= affected.keys
        for lookup in affected.lookups:
            if lookup.route.startswith("@"):
                keys |= index.orders_of(lookup)
        for route in {lookup.route for lookup in affected.lookups if not lookup.route.startswith("@")}:
            asked = [lookup for lookup in affected.lookups if lookup.route == route]
            cursor, page = None, await assembler.resolve(asked, None, 2)
            while True:
                keys.update(page.keys)
                cursor = page.cursor
                if cursor is None:
                    break
                page = await assembler.resolve(asked, cursor, 2)
    return keys


async def check_assembly(assembler: Assembler, ids: Mapping[OrderKey, str], rows: Mapping[str, Sequence[str]]) -> None:
    """That these orders, all and one, are assembled to what the mapping gives them. `rows` are its rows by id."""
    keys = sorted(ids)
    for chunk in (keys, keys[:1]):
        assembly = await assembler.assemble(chunk)
        for key in chunk:
            documents = [row.document() for row in assembly.rows.get(key, ())]
            expected = rows.get(ids[key], [])
            assert len(documents) == len(expected), key
            assert sorted(map(_canonical, documents)) == sorted(_canonical(_parse(text)) for text in expected), key
        assert set(assembly.rows) <= set(chunk)


def _parse(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _canonical(document: Any) -> str:
    return repr(sorted(document.items()))
