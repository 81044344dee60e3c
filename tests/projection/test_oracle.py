"""Against random data and random changes: no route is too narrow, and assembly answers as the mapping does.

The oracle is the mapping itself, run whole before and after each transaction: whatever order's rows differ must be
among the affected ones.
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

from connector.model.changes import Changes, Operation, TableName
from connector.model.orders import OrderKey
from connector.projection import Assembler, Projection, load
from connector.projection.sql.keys import decode
from tests.projection.cases import ACCEPTED, Case, shop, shop_template
from tests.support.fixtures.postgres import Database

__all__ = ["shop", "shop_template"]

WORDS = ("a", "b", "x", "ab ", "1", "2")
VALUES: dict[str, Sequence[str | None]] = {
    "int8": ("1", "2", "3", "4", None),
    "int4": ("1", "2", "3", "4", None),
    "text": (*WORDS, None),
    "varchar": (*WORDS, None),
    "bpchar": (*WORDS, None),
    "numeric": ("1", "2.00", "3.50", "4", None),
    "_int8": ("{}", "{1}", "{1,2}", "{2,NULL,3,3}", "{{1,4},{3,2}}", "{NULL}", None),
    "_int4": ("{}", "{1}", "{4,2}", "{2147483647,NULL,3}", "{{1,2},{3,2}}", None),
    "_varchar": ("{}", "{a}", "{x,B}", '{y,NULL,""}', None),
    "shop.grade": ("low", "high", None),
    "uuid": (*(f"{n}0000000-0000-0000-0000-000000000000" for n in range(4)), None),
    "timestamp": ("2024-01-01 00:00:00", "infinity", None),
    "timestamptz": ("2024-01-01 00:00:00.5+02", "2024-02-01 00:00:00Z", None),
    "jsonb": ('{"tags": ["a", "b"]}', '{"tags": []}', "{}", None),
}
VALUES_OF: dict[str, Sequence[str | None]] = {
    "email": ("ann@x", "Ann@x", "ANN@X", "bob@x", " bob@x", None),
    "ref": ("sale.line,1", "sale.line,2", "order-x", "1", "x", "a", None),
    "vref": ("ann@x", "none", None),
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
"""Values of columns of these names."""
TRANSACTIONS = 12
MANY = 120
RARELY_JOINED = ("expression_", "array_")
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
                if (change := self._change(self.random.choice(self.projection.tables))) is not None
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
        return [
            self.random.choice(_values(column, kind, required=required))
            for column, kind, required in self.columns[name]
        ]

    def _change(self, name: TableName) -> Changes | None:
        kind = self.random.choice((Operation.INSERT, Operation.UPDATE, Operation.UPDATE, Operation.DELETE))
        images = {Operation.INSERT: self._insert, Operation.UPDATE: self._update, Operation.DELETE: self._delete}[kind]
        found = images(name)
        return Changes(name, kind, 1, tuple(found)) if found else None

    def _insert(self, name: TableName) -> list[Any]:
        marks = ", ".join(f"%s::{kind}" for _, kind, _ in self.columns[name])
        names = ", ".join(f'"{column}"' for column, _, _ in self.columns[name])
        query = (
            f"INSERT INTO {_quoted(name)} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING tableoid, ctid"
        )
        return self._images(name, self.connection.execute(query, self._row(name)).fetchone())

    def _update(self, name: TableName) -> list[Any]:
        place = self._any(name)
        old = self._images(name, place)
        column, kind, required = self.random.choice(self.columns[name])
        value = self.random.choice(_values(column, kind, required=required))
        query = f"""UPDATE {_quoted(name)} SET "{column}" = %s::{kind} WHERE (tableoid, ctid) = (%s, %s::tid)
            RETURNING tableoid, ctid"""
        try:
            with self.connection.transaction():
                new = self.connection.execute(query, (value, *(place or (0, "(0,0)")))).fetchone()
                return [*old, *self._images(name, new)] if new else []
        except psycopg.errors.UniqueViolation:
            return []

    def _delete(self, name: TableName) -> list[Any]:
        place = self._any(name)
        old = self._images(name, place)
        if place:
            query = f"DELETE FROM {_quoted(name)} WHERE (tableoid, ctid) = (%s, %s::tid)"
            self.connection.execute(query, place)
        return old

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


def _values(column: str, kind: str, *, required: bool) -> list[str | None]:
    return [value for value in VALUES_OF.get(column, VALUES.get(kind, ())) if value is not None or not required]


def _quoted(name: TableName) -> str:
    return f'"{name.schema}"."{name.name}"'


async def affected_keys(projection: Projection, assembler: Assembler, changes: list[Changes]) -> set[OrderKey]:
    keys: set[OrderKey] = set()
    for change in changes:
        affected = projection.routes.affected(change)
        if affected.sweep is not None:
            swept = {use.route.table.name for use in projection.uses if use.route.kind == "sweep"}
            assert change.table in swept
            keys |= set((await assembler.scan(None, 1000)).keys)
        keys |= affected.keys
        for route in {lookup.route for lookup in affected.lookups}:
            asked = [lookup for lookup in affected.lookups if lookup.route == route]
            cursor, page = None, await assembler.resolve(asked, None, 2)
            while True:
                keys.update(page.keys)
                cursor = page.cursor
                if cursor is None:
                    break
                page = await assembler.resolve(asked, cursor, 2)
    return keys


@pytest.mark.parametrize("transactions", [TRANSACTIONS, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("case", [case for case in ACCEPTED if case.id_format != "none"], ids=lambda case: case.name)
async def test_no_change_of_an_order_is_missed_and_assembly_equals_the_mapping(
    case: Case, transactions: int, shop: Database
) -> None:
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
        known: set[OrderKey] = set()
        before = tables.rows()
        for number in range(10 * transactions):
            if number >= transactions and changed_orders:
                break
            known |= set((await assembler.scan(None, 1000)).keys)
            changes = tables.transaction()
            after = tables.rows()
            keys = await affected_keys(projection, assembler, changes)
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
