"""Changed rows to orders, without a database beyond the analysis."""

from __future__ import annotations

import pytest

from connector.model.changes import UNKNOWN, Changes, Image, Operation, TableName, Value
from connector.model.orders import Affected, OrderKey
from connector.projection import Projection, load
from connector.projection.routes.routes import LONGEST_LOOKUP
from tests.projection.cases import CASES, shop_template
from tests.support.fixtures.postgres import Database

__all__ = ["shop_template"]

ITEM = TableName("shop", "item")
PRODUCT = TableName("shop", "product")
TENANT_ITEM = TableName("shop", "tenant_item")


async def projection_of(name: str, dsn: str) -> Projection:
    return await projection_of_text(next(case.text for case in CASES if case.name == name), dsn)


async def projection_of_text(text: str, dsn: str) -> Projection:
    return await load(text, path="mapping.sql", read_dsn=dsn, timezone="UTC", statement_timeout_ms=10_000)


def changed(table: TableName, *images: Image, operation: Operation = Operation.UPDATE) -> Changes:
    return Changes(table, operation, len(images), images)


async def test_both_images_of_a_moved_row_name_their_orders(shop_template: Database) -> None:
    routes = (await projection_of("left_join_two_hops", shop_template.dsn)).routes
    assert routes.interest[ITEM] == ("order_id",)
    assert routes.affected(changed(ITEM, ("1",), ("2",))) == Affected(frozenset(map(OrderKey, ("1", "2"))))


async def test_a_composite_key_is_a_compact_json_list(shop_template: Database) -> None:
    routes = (await projection_of("composite_key", shop_template.dsn)).routes
    interest = routes.interest[TENANT_ITEM]
    image = tuple({"tenant": "7", "no": "1", "sku": "x"}[column] for column in interest)
    assert routes.affected(changed(TENANT_ITEM, image)).keys == {'["7","1"]'}


async def test_null_in_a_join_column_leads_to_no_order(shop_template: Database) -> None:
    routes = (await projection_of("left_join_two_hops", shop_template.dsn)).routes
    assert routes.affected(changed(ITEM, (None,))) == Affected()


async def test_an_unknown_column_asks_for_a_sweep_and_says_why(shop_template: Database) -> None:
    routes = (await projection_of("left_join_two_hops", shop_template.dsn)).routes
    affected = routes.affected(changed(ITEM, (UNKNOWN,), ("3",), operation=Operation.DELETE))
    assert affected == Affected(frozenset({OrderKey("3")}), frozenset(), "delete on shop.item does not carry order_id")


async def test_a_known_null_beside_an_unknown_column_still_leads_to_no_order(shop_template: Database) -> None:
    routes = (await projection_of("composite_key", shop_template.dsn)).routes
    interest = routes.interest[TENANT_ITEM]
    image = tuple(None if column == "no" else UNKNOWN for column in interest)
    assert routes.affected(changed(TENANT_ITEM, image)) == Affected()


async def test_truncate_asks_for_a_sweep(shop_template: Database) -> None:
    routes = (await projection_of("left_join_two_hops", shop_template.dsn)).routes
    assert routes.affected(Changes(PRODUCT, Operation.TRUNCATE, 1, ())).sweep == "truncate of shop.product"


async def test_a_table_outside_the_mapping_concerns_no_order(shop_template: Database) -> None:
    routes = (await projection_of("single_table", shop_template.dsn)).routes
    assert routes.affected(changed(PRODUCT, ("1",))) == Affected()


async def test_a_reverse_route_keeps_its_name_when_the_rest_of_the_mapping_changes(shop_template: Database) -> None:
    one = (await projection_of("left_join_two_hops", shop_template.dsn)).routes
    other = (await projection_of("exists_and_in", shop_template.dsn)).routes
    (lookup,) = one.affected(changed(PRODUCT, ("5",))).lookups
    assert other.affected(changed(PRODUCT, ("5",))).lookups == {lookup}
    assert lookup.values == ("5",)


async def test_a_value_that_is_too_long_to_be_looked_up_asks_for_a_sweep(shop_template: Database) -> None:
    """It would be more than an index of the checkpoint database holds, and stop every other order."""
    routes = (await projection_of("left_join_two_hops", shop_template.dsn)).routes
    for short in ("\U0001f4a9" * (LONGEST_LOOKUP // 4), "x" * LONGEST_LOOKUP):
        (lookup,) = routes.affected(changed(PRODUCT, (short,))).lookups
        assert lookup.values == (short,)
    why = "update on shop.product does not carry id in 2,000 bytes or less"
    for long in ("x" * (LONGEST_LOOKUP + 1), "x" * 1_000_000, "\U0001f4a9" * (LONGEST_LOOKUP // 4 + 1)):
        affected = routes.affected(changed(PRODUCT, (long,)))
        assert (affected.lookups, affected.sweep) == (frozenset(), why)


async def test_a_new_value_beside_a_long_one_that_was_left_alone_asks_for_a_sweep(shop_template: Database) -> None:
    """The stream doesn't carry the long one again, and the reverse index knows only the orders of the old pair."""
    routes = (await projection_of("instead_of_an_expression_of_two_tables", shop_template.dsn)).routes
    member = TableName("shop", "member")

    def moved(**values: Value) -> Changes:
        return changed(member, tuple({"id": "1", **values}[column] for column in routes.interest[member]))

    assert routes.affected(moved(email="a", ref="b")).sweep is None
    assert routes.affected(moved(email="a", ref=UNKNOWN)).sweep == "update on shop.member does not carry ref"
    assert routes.affected(moved(email=UNKNOWN, ref=UNKNOWN)).sweep is None


@pytest.mark.parametrize(
    ("condition", "told"),
    [("m.name IN ('x', 'y')", True), ("m.name IS NULL", False), ("m.external_id IS NULL", True), ("m.id > 0", None)],
)
async def test_a_row_that_may_come_to_meet_a_condition_beside_a_long_value_that_was_left_alone_asks_for_a_sweep(
    condition: str, told: bool | None, shop_template: Database
) -> None:
    """The reverse index has the rows that met it. `told`: the stream says whether this one does now."""
    text = f"SELECT w.id, m.name FROM shop.web_order w LEFT JOIN shop.member m ON m.email = w.email AND {condition}"
    routes = (await projection_of_text(text, shop_template.dsn)).routes
    member = TableName("shop", "member")

    def swept(operation: Operation, **values: Value) -> bool:
        image = tuple({"id": "1", "email": UNKNOWN, **values}[column] for column in routes.interest[member])
        affected = routes.affected(changed(member, image, operation=operation))
        assert any(lookup.route.startswith("@") for lookup in affected.lookups)
        return affected.sweep is not None

    old = {"name": UNKNOWN, "external_id": UNKNOWN}
    assert not swept(Operation.DELETE, **old)
    assert swept(Operation.UPDATE, **old) is (told is False)
    assert swept(Operation.UPDATE, name="x", external_id=None) is (told is not None)
    assert swept(Operation.UPDATE, name="z", external_id="1") is (told is False)


async def test_a_moved_row_whose_new_value_is_too_long_to_be_looked_up_asks_for_a_sweep(
    shop_template: Database,
) -> None:
    """The reverse index knows the orders that it left, not those that it came to."""
    routes = (await projection_of("expression_json_path", shop_template.dsn)).routes
    member = TableName("shop", "member")
    image = tuple(
        {"id": "1", "meta": f'{{"id": 1, "text": "{"x" * LONGEST_LOOKUP}"}}'}[c] for c in routes.interest[member]
    )
    affected = routes.affected(Changes(member, Operation.UPDATE, 1, (image,)))
    assert affected.sweep == "update on shop.member does not carry meta in 2,000 bytes or less"
    assert {lookup.values for lookup in affected.lookups} == {("1",)}


async def test_char_values_lose_the_padding_that_the_stream_sends(shop_template: Database) -> None:
    routes = (await projection_of("char_key", shop_template.dsn)).routes
    order, item = TableName("shop", "corder"), TableName("shop", "citem")
    assert routes.affected(changed(order, ("ab    ",))).keys == {"ab"}
    interest = routes.interest[item]
    image = tuple({"id": "1", "code": "ab    ", "vcode": "ab "}[column] for column in interest)
    # Blanks at the end of a varchar count.
    assert routes.affected(changed(item, image)).keys == {"ab", "ab "}
