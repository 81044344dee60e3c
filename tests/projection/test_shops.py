"""Open-source shops (tests/shops), mapped as an integrator would: their routes, the indexes that are asked for, and
whether random changes are missed.

The last lines of a shop's mapping say what is expected, as those in mappings/ do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from random import Random
from typing import Any

import psycopg
import pytest

from connector.model.changes import Operation, TableName
from connector.model.orders import OrderKey
from connector.projection import Assembler, Projection, load
from tests.projection.cases import Case, read, uses_of
from tests.projection.changing_tables import ChangingTables, ReverseIndex, affected_keys, check_assembly
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster
from tests.system.oracle.tables import read_tables, value
from tests.system.oracle.worlds import SHOPS, World, shops

TRANSACTIONS, MANY = 25, 200
LOOKS = 2
"""Orders that a changed row leads to, of 20 or 30, at most on average: a country or a shipping method has several."""


@pytest.fixture(params=shops(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found


@pytest.fixture
def shop(cluster: Cluster, world: World) -> Iterator[Database]:
    made = create_database(cluster)
    with made.connect() as connection:
        connection.execute(world.schema.encode())
    yield made
    drop_database(cluster, made.name)


def case_of(world: World) -> Case:
    return read(SHOPS / world.name / "mapping.sql")


async def loaded(case: Case, shop: Database) -> Projection:
    return await load(case.text, path="mapping.sql", read_dsn=shop.dsn, timezone="UTC", statement_timeout_ms=10_000)


class ShopTables(ChangingTables):
    """A shop's tables, whose rows keep most of what they refer to. Foreign keys rest: what they do to other rows would
    be no change that is told of."""

    def __init__(self, world: World, connection: psycopg.Connection[Any], projection: Projection) -> None:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET TimeZone = 'UTC'")
        random = Random(world.name)  # noqa: S311
        super().__init__(connection, projection, random, self._chosen, apart=0.0)  # which has all orders looked at
        self._world = world
        self._known = {TableName(*name.split(".")): table for name, table in read_tables(connection, world).items()}
        self._wanted = {name: world.rows.get(str(name), 12) for name in self._known if name in projection.tables}
        self._referred = {reference.table for table in self._known.values() for reference in table.references}
        self.fill(self._wanted)

    def kind(self, name: TableName) -> Operation:
        """Rows that others refer to are seldom deleted."""
        if len(self._values(name, "1")) < self._wanted[name]:
            return Operation.INSERT
        kind = super().kind(name)
        rare = kind is Operation.DELETE and str(name) in self._referred and self.random.random() < 0.8
        return Operation.UPDATE if rare else kind

    def updated(self, name: TableName) -> tuple[str, str, bool]:
        """Any column, but no key that others refer to."""
        keys = self._known[name].key if str(name) in self._referred else ()
        return self.random.choice([column for column in self.columns[name] if column[0] not in keys])

    def _chosen(self, name: TableName, column: str, _: str, required: bool) -> str | None:
        """Of a reference that of a row that is there, as a rule."""
        table = self._known[name]
        for reference in table.references:
            if reference.columns == (column,):
                rows = self._values(TableName(*reference.table.split(".")), f'"{reference.targets[0]}"')
                return self.random.choice(rows) if rows and (required or self.random.random() < 0.9) else None
        return value(self._world, table, next(each for each in table.columns if each.name == column), self.random)

    def _values(self, name: TableName, column: str) -> list[str]:
        query = f"SELECT {column}::text FROM {self._known[name].sql} ORDER BY 1"
        return [text for (text,) in self.connection.execute(query.encode())]


def ids_of(world: World, projection: Projection, connection: psycopg.Connection[Any]) -> dict[OrderKey, str]:
    """What Redo calls each order."""
    table, (key,) = projection.order_table, projection.key
    query = f'SELECT "{key}"::text, "{world.id_column or key}"::text FROM "{table.schema}"."{table.name}"'
    return {OrderKey(key): order for key, order in connection.execute(query.encode())}


async def test_a_shops_mapping_is_followed_table_by_table(world: World, shop: Database) -> None:
    case = case_of(world)
    projection = await loaded(case, shop)
    assert f"{projection.order_table}({', '.join(projection.key)})" == case.key
    assert sorted(uses_of(projection)) == sorted(case.uses)
    assert list(projection.nondeterministic) == []


@pytest.mark.parametrize("filled", [False, pytest.param(True, marks=pytest.mark.long)], ids=["empty", "filled"])
async def test_a_shop_is_asked_for_the_indexes_that_it_lacks_and_no_other(
    world: World, shop: Database, filled: bool
) -> None:
    case = case_of(world)
    projection = await loaded(case, shop)
    async with aclosing(Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=10_000)) as assembler:
        with shop.connect() as connection:
            if filled:
                ShopTables(world, connection, projection)
                connection.execute("ANALYZE")
            assert sorted(read.hint for read in (await assembler.plans()).whole_reads) == sorted(case.indexes)
            for index in case.indexes:
                connection.execute(index.encode())
        assert not case.indexes or (await assembler.plans()).whole_reads == ()


@pytest.mark.parametrize("transactions", [TRANSACTIONS, pytest.param(MANY, marks=pytest.mark.long)])
async def test_no_change_of_a_shops_order_is_missed_and_few_others_are_looked_at(
    world: World, shop: Database, transactions: int
) -> None:
    projection = await loaded(case_of(world), shop)
    index = ReverseIndex()
    rows = looks = changed_orders = 0
    with shop.connect() as connection:
        async with aclosing(Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=10_000)) as assembler:
            tables = ShopTables(world, connection, projection)
            await index.enroll(assembler, set((await assembler.scan(None, 1000)).keys))
            ids, before = ids_of(world, projection, connection), tables.rows()
            for number in range(transactions):
                changes = tables.transaction()
                ids, old = ids_of(world, projection, connection), ids
                after = tables.rows()
                keys = await affected_keys(projection, assembler, index, changes)
                await index.enroll(assembler, keys)
                found = {names[key] for names in (old, ids) for key in keys if key in names}
                changed = {order for order in {*before, *after} if before.get(order) != after.get(order)}
                assert changed <= found, f"transaction {number} changes {[str(change.table) for change in changes]}"
                await check_assembly(assembler, {key: ids.get(key, "") for key in ids.keys() | keys}, after)
                rows, looks, changed_orders = rows + len(changes), looks + len(keys), changed_orders + len(changed)
                before = after
    assert changed_orders, "nothing changed: this test could not fail"
    assert looks <= LOOKS * rows
