"""Against random data and random changes: no route is too narrow, and assembly answers as the mapping does.

The oracle is the mapping itself, run whole before and after each transaction: whatever order's rows differ must be
among the affected ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from connector.model.changes import TableName
from connector.model.orders import OrderKey
from connector.projection import Assembler, load
from connector.projection.sql.keys import decode
from tests.projection.cases import ACCEPTED, Case, one_in, shop, shop_template
from tests.projection.changing_tables import ChangingTables, ReverseIndex, Value, affected_keys, check_assembly
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
    "gid": ("T3JkZXI6MQ==", "T3JkZXI6Mg==", "T3JkZXI6Mw", "T3JkZXI6NA==", "T3JkZXI6", "x", None),
    "vref": ("ann@x", "none", None),
    "currency": ("a", "b", "c", "d", None),
    "sold": (*(f"2024-01-0{day}" for day in ("1 00:00", "2 12:00", "3 00:00", "4 12:00")), "infinity", None),
    "placed_at": (*(f"2024-01-0{day}" for day in ("1 00:00Z", "2 23:30-02", "3 00:00Z", "4 12:00Z")), "infinity", None),
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
_OF_NAMES = ("text", "varchar", "bpchar", "jsonb", "timestamp", "timestamptz")
FULL_IDENTITIES = """DO $$ DECLARE found regclass; BEGIN
    FOR found IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p') AND nspname IN ('shop', 'Legacy')
    LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', found); END LOOP; END $$"""
TRANSACTIONS = 12
MANY = 120
RARELY_JOINED = ("bounds_", "expression_", "array_", "mixed_")
"""Begin the names of cases of which it takes more transactions until rows meet."""


def usual_values(text: str, random: Random) -> Value:
    """As often as not one that the mapping asks for."""

    def value(_: TableName, column: str, kind: str, required: bool) -> str | None:
        usual = VALUES_OF.get(column, ()) if kind in _OF_NAMES else ()
        values = [value for value in usual or VALUES[kind] if value is not None or not required]
        named: list[str | None] = [value for value in values if f"'{value}'" in text]
        if f"{column} IS NULL" in text and None in values:
            named = [None]
        return random.choice(named if named and random.random() < 0.5 else values)

    return value


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)], ids=["default", "full"])
@pytest.mark.parametrize("transactions", [TRANSACTIONS, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("case", one_in(3, [case for case in ACCEPTED if case.id_format != "none"]))
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
        random = Random(case.name)  # noqa: S311
        tables = ChangingTables(connection, projection, random, usual_values(case.text, random))
        tables.fill(dict.fromkeys(projection.tables, 12))
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
            ids = {key: case.id_format.format(*decode(key, width)) for key in known | keys}
            found = {ids[key] for key in keys}
            changed = {order for order in {*before, *after} if before.get(order) != after.get(order)}
            assert changed <= found, f"transaction {number} changes {[str(change.table) for change in changes]}"
            await check_assembly(assembler, ids, after)
            changed_orders += len(changed)
            before = after
    await assembler.aclose()
    assert changed_orders, "nothing changed: this test could not fail"
