"""Against random data and random changes: no route is too narrow, and assembly answers as the mapping does.

The oracle is the mapping itself, run whole before and after each transaction: whatever order's rows differ must be
among the affected ones. Changes come as the stream has them: of a deleted row its replica identity, of an updated row
the old one only where its identity changes. The reverse index is what assembly said of the orders when they were last
affected.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import psycopg
import pytest

from connector.model.changes import UNKNOWN, Changes, Image, Operation, TableName
from connector.model.orders import Lookup, Members, OrderKey, encoded
from connector.projection import Assembler, Projection, load
from connector.projection.assembly.projection import Use
from connector.projection.sql.keys import decode
from tests.projection.cases import ACCEPTED, Case, one_in, shop, shop_template
from tests.support.fixtures.postgres import Database

__all__ = ["shop", "shop_template"]

WORDS = ("a", "b", "x", "ab ", "1", "2")
VALUES: dict[str, Sequence[str | None]] = {
    "int8": ("1", "2", "3", "4", None),
    "int4": ("1", "2", "3", "4", None),
    "text": (*WORDS, None),
    "varchar": (*WORDS, None),
    "bpchar": (*WORDS, None),
    "inet": ("10.0.0.1", "10.0.0.0/8", "::1"),
    "numeric": ("1", "2.00", "3.50", "4", None),
    "_int8": ("{}", "{1}", "{1,2}", "{2,NULL,3,3}", "{{1,4},{3,2}}", "{NULL}", None),
    "_int4": ("{}", "{1}", "{4,2}", "{2147483647,NULL,3}", "{{1,2},{3,2}}", None),
    "_varchar": ("{}", "{a}", "{x,B}", '{y,NULL,""}', None),
    "shop.grade": ("low", "high", None),
    "uuid": (*(f"{n}0000000-0000-0000-0000-000000000000" for n in range(4)), None),
    "timestamp": ("2024-01-01 00:00:00", "infinity", None),
    "date": ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "infinity", None),
    "timestamptz": ("2024-01-01 00:00:00.5+02", "2024-02-01 00:00:00Z", None),
    "jsonb": ('{"tags": ["a", "b"]}', '{"tags": []}', "{}", None),
    "bool": ("true", "false", None),
    "shop.line_kind": ("goods", "gift", "fee", None),
}
VALUES_OF: dict[str, Sequence[str | None]] = {
    "email": ("ann@x", "Ann@x", "ANN@X", "bob@x", " bob@x", None),
    "ref": ("sale.line,1", "sale.line,2", "order-x", "1", "x", "a", None),
    "vref": ("ann@x", "none", None),
    "currency": ("a", "b", "c", "d", None),
    "sold": ("2024-01-01 00:00:00", "2024-01-02 12:00:00", "2024-01-03 00:00:00", "2024-01-04 12:00:00", None),
    "starts": ("2024-01-01 00:00:00", "2024-01-02 12:00:00", "2024-01-03 00:00:00", "-infinity", None),
    "number_text": ("1", "2 ", " 3", "+4", "", None),
    "csv": ("1,2", "2", ",3,,4", "1, 2", "x", "", None),
    "code": ("a", "b", "B", "c", "", None),
    "label": ("x", "y", "z", None),
    "lines": (
        '[{"sku": "a", "label": "x", "tag": {"id": 1}, "order": 1, "tags": ["a"]}, {"sku": "b", "tag": {"id": "2"}}]',
        '[{"sku": "b", "label": "y", "tag": {"id": 3}, "order": "2", "tags": []}, {"sku": null, "order": 3}]',
        '[{"sku": "c", "tags": ["c", null, 1]}, 7, null, "a", []]',
        *("[]", None),
    ),
    "meta": (
        *(f'{{"id": {n}, "sku": "{w}", "in": {{"ids": [{n}, 9]}}}}' for n, w in ((1, "a"), (2, "x"), (3, "a"))),
        '{"id": "1", "in": []}',
        '{"id": null}',
        "{}",
        "7",
        None,
    ),
}
"""Values of columns of these names, if they are of one of `_OF_NAMES`."""
_SHORT = ("int8", "int4", "uuid", "timestamp", "date", "timestamptz", "bool", "shop.grade", "shop.line_kind")
"""Types of which the stream never leaves a value out."""
_OF_NAMES = ("text", "varchar", "bpchar", "jsonb", "timestamp")
FULL_IDENTITIES = """DO $$ DECLARE found regclass; BEGIN
    FOR found IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p') AND nspname IN ('shop', 'Legacy')
    LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', found); END LOOP; END $$"""
TRANSACTIONS = 12
MANY = 120
RARELY_JOINED = ("bounds_", "expression_", "array_", "mixed_")
"""Begin the names of cases of which it takes more transactions until rows meet."""


class Shop:
    """The tables of a mapping, changed at random, with the images that the stream would carry."""

    def __init__(self, connection: psycopg.Connection[Any], projection: Projection, random: Random) -> None:
        self.connection = connection
        self.projection = projection
        self.random = random
        self.columns = {name: self._columns(name) for name in projection.tables}
        query = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind = 'p'"""
        self.partitioned = {TableName(*row) for row in connection.execute(query).fetchall()}
        self.identities = {table.name: table.identity for table in projection.followed}
        for use in projection.uses:
            if not can_tell_all(use):
                # Only a reconcile mends what such a table's stream doesn't tell. Here it tells all.
                self.identities[use.route.table.name] = frozenset(use.route.table.columns)

    def fill(self) -> None:
        for name in self.projection.tables:
            for _ in range(12):
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
        return [self._value(*column) for column in self.columns[name]]

    def _value(self, column: str, kind: str, required: bool) -> str | None:
        """As often as not one that the mapping asks for."""
        usual = VALUES_OF.get(column, ()) if kind in _OF_NAMES else ()
        values = [value for value in usual or VALUES[kind] if value is not None or not required]
        text = self.projection.statement
        named: list[str | None] = [value for value in values if f"'{value}'" in text]
        if f"{column} IS NULL" in text and None in values:
            named = [None]
        return self.random.choice(named if named and self.random.random() < 0.5 else values)

    def _change(self, name: TableName) -> list[Changes]:
        kind = self.random.choice((Operation.INSERT, Operation.UPDATE, Operation.UPDATE, Operation.DELETE))
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
        return self._images(name, self.connection.execute(query, self._row(name)).fetchone())

    def _update(self, name: TableName) -> list[Changes]:
        place = self._any(name)
        old = self._images(name, place)
        routed = [column for column in self.columns[name] if column[0] in self.projection.routes.interest[name]]
        column, kind, required = self.random.choice(
            routed if routed and self.random.random() < 0.5 else self.columns[name]
        )
        value = self._value(column, kind, required)
        query = f"""UPDATE {_quoted(name)} SET "{column}" = %s::{kind} WHERE (tableoid, ctid) = (%s, %s::tid)
            RETURNING tableoid, ctid"""
        try:
            with self.connection.transaction():
                new = self.connection.execute(query, (value, *(place or (0, "(0,0)")))).fetchone()
                return self._carried(name, old, self._apart(name, column, self._images(name, new))) if new else []
        except psycopg.errors.UniqueViolation:
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

    def _apart(self, name: TableName, changed: str, new: list[Image]) -> list[Image]:
        """At times without the values that are long and were left alone (TOAST)."""
        if self._whole(name) or self.random.random() < 0.85:
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


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)], ids=["default", "full"])
@pytest.mark.parametrize("transactions", [TRANSACTIONS, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("case", one_in(2, [case for case in ACCEPTED if case.id_format != "none"]))
async def test_no_change_of_an_order_is_missed_and_assembly_equals_the_mapping(
    case: Case, transactions: int, whole: bool, shop: Database
) -> None:
    """`whole`: under REPLICA IDENTITY FULL."""
    if whole:
        with shop.connect() as connection:
            connection.execute(FULL_IDENTITIES)
    projection = await load(
        case.text,
        path="mapping.sql",
        read_dsn=shop.dsn,
        timezone="UTC",
        statement_timeout_ms=10_000,
        sweep_tables=case.sweep_tables,
    )
    assembler = Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=10_000)
    width = len(projection.key)
    transactions *= 6 if case.name.startswith(RARELY_JOINED) else 1
    changed_orders = 0
    with shop.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        tables = Shop(connection, projection, Random(case.name))  # noqa: S311
        tables.fill()
        index = ReverseIndex()
        await index.enroll(assembler, set((await assembler.scan(None, 1000)).keys))
        known: set[OrderKey] = set()
        before = tables.rows()
        for number in range(40 * transactions):
            if number >= transactions and changed_orders:
                break
            known |= set((await assembler.scan(None, 1000)).keys)
            changes = tables.transaction()
            after = tables.rows()
            keys = await affected_keys(projection, assembler, index, changes)
            await index.enroll(assembler, keys)
            found = {case.id_format.format(*decode(key, width)) for key in keys}
            changed = {order for order in {*before, *after} if before.get(order) != after.get(order)}
            assert changed <= found, f"transaction {number} changes {[str(change.table) for change in changes]}"
            await check_assembly(case, projection, assembler, sorted(known | keys), after)
            changed_orders += len(changed)
            before = after
    await assembler.aclose()
    assert changed_orders, "nothing changed: this test could not fail"


async def check_assembly(
    case: Case, projection: Projection, assembler: Assembler, keys: list[OrderKey], rows: dict[str, list[str]]
) -> None:
    width = len(projection.key)
    for chunk in (keys, keys[:1]):
        assembly = await assembler.assemble(chunk)
        for key in chunk:
            documents = [row.document() for row in assembly.rows.get(key, ())]
            expected = rows.get(case.id_format.format(*decode(key, width)), [])
            assert len(documents) == len(expected), key
            assert sorted(map(_canonical, documents)) == sorted(_canonical(_parse(text)) for text in expected), key
        assert set(assembly.rows) <= set(chunk)


def _parse(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _canonical(document: Any) -> str:
    return repr(sorted(document.items()))
