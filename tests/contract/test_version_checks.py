"""What is suspicious about an order in the light of what Redo accepted before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.order_builder import RedoContract
from connector.contract.version_checks import suspicions
from connector.model.orders import Order, OrderKey
from tests.support.redo_orders import SEEN_AT, document, documents, full_document, line_item, money, order_of

CONTRACT = RedoContract("UTC", (), "main", frozenset({"outlet"}))
OTHER = OrderKey("order-9")


def with_lines(*lines: tuple[str, str], **changes: Any) -> Order:
    """Lines by id and product."""
    rows = [line_item(name, productId=product, sku=f"sku-{product}") for name, product in lines]
    return order_of(document(lineItems=rows, **changes))


def protected(name: str) -> dict[str, Any]:
    return line_item(
        name,
        productId="cover",
        sku="x-redo",
        vendor="re:do",
        tags=["both"],
        properties=[{"name": "_redo_type", "value": "both"}],
    )


def found(before: Order, after: Order) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in CONTRACT.suspicions(before.traits, after.traits)]


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ([("A", "mug")], [("B", "mug")], ["A has become B"]),
        ([("A", "mug"), ("B", "mug")], [("A", "mug"), ("C", "mug")], ["B has become C"]),
        ([("A", "mug"), ("B", "cup")], [("C", "mug"), ("D", "cup")], ["A has become C", "B has become D"]),
        ([("A", "mug"), ("B", "mug")], [("C", "mug"), ("D", "mug")], ["A has become C", "B has become D"]),
        ([("A", "mug"), ("B", "mug")], [("C", "mug")], ["A has become C"]),
        ([("1", "mug"), ("2", "cup")], [("1", "cup")], ["2 has become 1"]),  # numbered anew after a removal
        ([("1", "mug"), ("2", "cup")], [("1", "cup"), ("2", "mug")], ["1 has become 2", "2 has become 1"]),
    ],
)
def test_a_product_that_got_another_line_id_is_named_with_both_ids(
    before: list[tuple[str, str]], after: list[tuple[str, str]], moves: list[str]
) -> None:
    for one in (after, after[::-1]):
        warnings = found(with_lines(*before), with_lines(*one))
        assert [kind for kind, _ in warnings] == ["line_item_id_changed"] * len(moves)
        assert [message.partition(":")[0] for _, message in warnings] == [f"line item {move}" for move in moves]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([("A", "mug")], [("A", "mug")]),
        ([("A", "mug"), ("B", "mug")], [("B", "mug"), ("A", "mug")]),
        ([("A", "mug")], [("A", "mug"), ("B", "mug")]),  # one more, or a line that was split
        ([("A", "mug"), ("B", "mug")], [("A", "mug")]),
        ([("A", "mug")], [("B", "cup")]),  # another product instead
        ([("A", "mug")], [("A", "cup")]),
        ([("A", "mug"), ("B", "cup")], [("B", "cup"), ("C", "hat")]),
    ],
)
def test_lines_that_come_and_go_otherwise_are_not_suspicious(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    assert found(with_lines(*before), with_lines(*after)) == []


@pytest.mark.parametrize(
    ("one", "other", "suspicious"),
    [
        ({"variantId": "blue"}, {"variantId": "red"}, False),
        ({"variantId": "blue", "sku": "S1"}, {"variantId": "blue", "sku": "S2"}, True),
        ({"sku": "S1"}, {"sku": "S2"}, False),
        ({"sku": "S1", "productId": "P1"}, {"sku": "S1", "productId": "P2"}, False),
        ({"title": "Mug"}, {"title": "Cup", "quantity": 1}, True),
    ],
)
def test_variants_are_products_of_their_own_told_apart_by_sku_where_they_have_no_id(
    one: dict[str, Any], other: dict[str, Any], suspicious: bool
) -> None:
    before = order_of(document(lineItems=[line_item("A", **one)]))
    after = order_of(document(lineItems=[line_item("B", **other)]))
    assert bool(found(before, after)) == suspicious


def test_another_id_for_the_protection_line_is_not_suspicious() -> None:
    before = order_of(document(lineItems=[line_item("A"), protected("R1")]))
    after = order_of(document(lineItems=[line_item("A"), protected("R2")]))
    assert found(before, after) == []


def refund(name: str = "R1", *, quantity: int = 2, paid: str = "10.00", **changes: Any) -> dict[str, Any]:
    line = {"lineItemId": "L1", "quantity": quantity, "subtotalSet": money(paid), "totalTaxSet": money("1.00")}
    return {"id": name, "createdAt": "2024-05-06", "lineItems": [line]} | changes


def refunded(*refunds: dict[str, Any], **changes: Any) -> Order:
    return order_of(document(refunds=list(refunds), **changes))


SHIPPING = [{"amountSet": money("5.00"), "taxAmountSet": money("0.40")}]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([refund()], [], "refund R1 is gone"),
        ([refund(), refund("R2")], [refund("R2")], "refund R1 is gone"),
        ([refund()], [refund(quantity=1)], "refund R1 takes fewer items"),
        ([refund()], [refund(paid="9.99")], "refund R1 pays less"),
        ([refund(shippingRefunds=SHIPPING)], [refund()], "refund R1 pays less"),
        ([refund(orderLevelRefunds=SHIPPING)], [refund(orderLevelRefunds=[])], "refund R1 pays less"),
        ([refund(lineItems=[], shippingRefunds=SHIPPING)], [refund(lineItems=[])], "refund R1 pays less"),
        (
            [refund(lineItems=[], shippingRefunds=SHIPPING)],
            [refund(lineItems=[], shippingRefunds=[{"amountSet": money("5.00")}])],
            "refund R1 pays less",
        ),
    ],
)
def test_a_refund_that_is_gone_or_smaller_is_named(before: list[Any], after: list[Any], words: str) -> None:
    ((kind, message),) = found(refunded(*before), refunded(*after))
    assert kind == "refunds_shrunk"
    assert message.startswith(words)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [refund()]),
        ([refund()], [refund("R2"), refund()]),
        ([refund()], [refund(quantity=3, paid="12.00")]),
        ([refund(paid="10")], [refund(paid="10.00", note="chipped")]),
        ([refund()], [refund(shippingRefunds=SHIPPING)]),
    ],
)
def test_refunds_that_grow_are_not_suspicious(before: list[Any], after: list[Any]) -> None:
    assert found(refunded(*before), refunded(*after)) == []


def in_two_currencies(presentment: str, euros: str, dollars: str) -> Order:
    amounts = {
        "presentmentMoney": {"amount": euros, "currencyCode": presentment},
        "shopMoney": {"amount": dollars, "currencyCode": "USD"},
    }
    line = {"lineItemId": "L1", "quantity": 1, "subtotalSet": amounts, "totalTaxSet": amounts}
    rows = [line_item(priceSet=amounts)]
    return refunded(refund(lineItems=[line]), presentmentCurrency=presentment, lineItems=rows)


def test_amounts_are_compared_currency_by_currency() -> None:
    before = in_two_currencies("EUR", "9.00", "10.00")
    assert found(before, in_two_currencies("EUR", "9.00", "9.50"))
    assert found(before, in_two_currencies("EUR", "8.00", "11.00"))
    assert not found(before, in_two_currencies("GBP", "8.00", "10.00"))


def test_no_digit_is_lost_in_a_refunds_total() -> None:
    large = "123456789012345678901234567890123456.01"
    assert found(refunded(refund(paid=large)), refunded(refund(paid=large[:-1] + "0")))


def test_nothing_is_suspicious_when_what_was_accepted_is_not_known() -> None:
    traits = order_of(full_document()).traits
    for unknown in (b"", b"\x00[1,[],[]]", b"\xff", b"[]"):
        assert suspicions(unknown, traits) == suspicions(traits, unknown) == ()
        assert CONTRACT.line_items(unknown) == frozenset()


def test_traits_do_not_depend_on_the_order_of_lists_and_hold_no_customers_data() -> None:
    row = full_document()
    row["refunds"].append(row["refunds"][0] | {"id": "R0"})
    shuffled = row | {name: row[name][::-1] for name in ("lineItems", "refunds")}
    traits = order_of(row).traits
    assert traits == order_of(shuffled).traits
    assert not [text for text in (b"ada", b"Ada", b"Byron", b"High St", b"Mug", b"chipped") if text in traits]


@pytest.mark.parametrize("name", ["{}", "1234567890{}", "2f1c6c5e-8f0a-4b43-9f0e-0d5f0a0b1c2{}"])
def test_traits_of_three_lines_are_short(name: str) -> None:
    rows = [(name.format(at), f"a product with a rather long identifier {at}") for at in range(3)]
    assert len(with_lines(*rows).traits) < 200


def test_long_ids_are_shortened_and_still_told_apart() -> None:
    one, other = ("x" * 500 + end for end in "ab")
    before, after = with_lines((one, "mug")), with_lines((other, "mug"))
    ((_, message),) = found(before, after)
    assert len(before.traits) < 100
    assert "xxx~" in message
    assert CONTRACT.line_items(before.traits).isdisjoint(CONTRACT.line_items(after.traits))


def test_line_items_are_signed_64_bit_numbers_that_last() -> None:
    many = with_lines(*((f"L{at}", "mug") for at in range(200)))
    hashes = CONTRACT.line_items(many.traits)
    assert len(hashes) == 200
    assert all(-(2**63) <= each < 2**63 for each in hashes)
    assert min(hashes) < 0 < max(hashes)
    # They are kept: another number for the same id would hide a reuse.
    assert CONTRACT.line_items(with_lines(("L1", "mug")).traits) == {3707920027337280062}


def test_a_reused_line_item_is_named_with_the_order_that_has_it() -> None:
    order = with_lines(("A", "mug"), ("B", "cup"))
    (shared,) = CONTRACT.line_items(order.traits) & CONTRACT.line_items(with_lines(("B", "hat")).traits)
    (suspicion,) = CONTRACT.reused(order.traits, {shared: OTHER})
    assert suspicion.kind == "line_item_id_reused"
    assert suspicion.message.startswith("line item B is one of order order-9")


def test_the_same_line_item_id_in_another_store_is_another_line_item() -> None:
    main, outlet, again = (
        CONTRACT.order(document(store_id=store), SEEN_AT).traits for store in ("main", "outlet", None)
    )
    assert CONTRACT.line_items(main) == CONTRACT.line_items(again)
    assert CONTRACT.line_items(main).isdisjoint(CONTRACT.line_items(outlet))
    assert CONTRACT.suspicions(main, outlet) == ()


@given(documents(), documents(), st.randoms(use_true_random=False))
def test_whatever_passes_the_contract_has_traits_that_can_be_compared(
    one: dict[str, Any], other: dict[str, Any], random: Any
) -> None:
    before, after = order_of(one).traits, order_of(other).traits
    kinds = {suspicion.kind for suspicion in suspicions(before, after)}
    assert kinds <= {"line_item_id_changed", "refunds_shrunk"}
    assert suspicions(before, before) == ()
    random.shuffle(one["lineItems"])
    assert order_of(one).traits == before
    names = {line["id"] for line in one["lineItems"]}
    reused = CONTRACT.reused(before, dict.fromkeys(CONTRACT.line_items(before), OTHER))
    assert {one.message.split(" is one of ")[0].removeprefix("line item ") for one in reused} == names
    refunds = {row["id"] for row in one["refunds"]} - {row["id"] for row in other["refunds"]}
    messages = " ".join(suspicion.message for suspicion in suspicions(before, after))
    assert all(f"refund {name} is gone" in messages for name in refunds)
