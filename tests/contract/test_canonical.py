"""When two orders are the same to Redo."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.canonical import canonical, dump, fingerprint, same_number
from connector.contract.order_builder import RedoContract
from connector.model.errors import ConfigurationError
from tests.support.redo_orders import (
    SEEN_AT,
    document,
    documents,
    full_document,
    line_item,
    money,
    order_of,
    respelled,
)

SHUFFLED = {"lineItems", "fulfillments", "refunds", "shippingLines", "orderDiscounts", "discounts"}
SHUFFLED |= {"transactions", "trackingNumbers", "metafields", "tags"}


def rebuilt(value: Any, name: str, change: Callable[[str, Any], Any]) -> Any:
    """A copy in which `change` has seen every value, innermost first."""
    if isinstance(value, dict):
        return change(name, {key: rebuilt(below, key, change) for key, below in value.items()})
    if isinstance(value, list):
        return change(name, [rebuilt(below, name, change) for below in value])
    return change(name, value)


@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_lists_with_identities_and_of_tags_does_not_count(row: dict[str, Any], random: Any) -> None:
    def shuffle(name: str, value: Any) -> Any:
        if isinstance(value, list) and name in SHUFFLED:
            random.shuffle(value)
        return value

    other = rebuilt(row, "", lambda name, value: value) | {
        name: rebuilt(value, name, shuffle) for name, value in row.items() if name != "transactions"
    }
    other["transactions"] = random.sample(row["transactions"], len(row["transactions"]))
    assert order_of(other).fingerprint == order_of(row).fingerprint


@given(documents(), st.integers(0, 3))
def test_the_spelling_of_numbers_does_not_count(row: dict[str, Any], zeros: int) -> None:
    def lengthen(name: str, value: Any) -> Any:
        if name in ("amount", "rate") and isinstance(value, str):
            return value + "0" * zeros
        if name in ("amount", "quantity", "value") and isinstance(value, int | Decimal):
            return (
                Decimal(f"{value}.{'0' * (zeros + 1)}") if isinstance(value, int) else Decimal(f"{value}{'0' * zeros}")
            )
        return value

    assert order_of(rebuilt(row, "", lengthen)).fingerprint == order_of(row).fingerprint


@given(documents())
def test_absent_null_and_empty_are_the_same(row: dict[str, Any]) -> None:
    def void(name: str, value: Any) -> Any:
        if not isinstance(value, dict) or "paymentId" in value:
            return value
        kept = {key: below for key, below in value.items() if below is not None or key == "rate"}
        return {"tags": None, "vendor": None} | kept if "sku" in kept else kept

    assert order_of(rebuilt(row, "", void)).fingerprint == order_of(row).fingerprint


@given(documents())
def test_the_spelling_of_keys_does_not_count(row: dict[str, Any]) -> None:
    assert order_of(respelled(row, snake=True)).fingerprint == order_of(row).fingerprint


def test_the_spelling_of_keys_does_not_count_anywhere_in_the_contract() -> None:
    assert order_of(respelled(full_document(), snake=True)) == order_of(full_document())


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for step, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(below, (*path, step))
    else:
        yield path


@pytest.mark.parametrize("path", list(leaves(full_document())), ids=lambda path: ".".join(map(str, path)))
def test_a_change_of_any_field_is_a_difference(path: tuple[Any, ...]) -> None:
    payload = full_document()
    before = fingerprint(payload, {})
    level = payload
    for step in path[:-1]:
        level = level[step]
    old = level[path[-1]]
    level[path[-1]] = old + 1 if isinstance(old, int | Decimal) else f"{old or ''}1"
    assert fingerprint(payload, {}) != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (document(tags=["a"]), document()),
        (document(lineItems=[line_item("A"), line_item("B")]), document(lineItems=[line_item("A")])),
        (document(lineItems=[line_item(priceSet="10.01")]), document(lineItems=[line_item(priceSet="10.1")])),
        (document(lineItems=[line_item(quantity=10)]), document(lineItems=[line_item(quantity=1)])),
        (document(lineItems=[line_item(sku="10")]), document(lineItems=[line_item(sku="10.0")])),
    ],
)
def test_what_looks_alike_is_still_a_difference(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert order_of(one).fingerprint != order_of(other).fingerprint


def test_a_gateways_own_fields_are_compared_as_they_are() -> None:
    def paid(**extra: Any) -> bytes:
        row = full_document()
        row["transactions"][0] |= extra
        return order_of(row).fingerprint

    assert paid(ref=None) != paid()
    assert paid(ref=[1, 2]) != paid(ref=[2, 1])
    assert paid(ref="1.0") != paid(ref="1.00")
    assert paid(ref=Decimal("1.0")) == paid(ref=Decimal("1.00")) == paid(ref=1)


def test_ignored_paths_do_not_count_and_reach_into_lists() -> None:
    ignore = ("updatedAt", "lineItems.image", "line_items.price_set.shop_money", "customer")
    changed = full_document()
    changed["updatedAt"] = "2025-01-01T00:00:00Z"
    changed["lineItems"][0]["image"] = "https://example.com/other.png"
    changed["customer"]["firstName"] = "Augusta"
    changed["lineItems"][0]["priceSet"]["shopMoney"]["amount"] = "11.00"
    assert order_of(changed, ignore=ignore).fingerprint == order_of(full_document(), ignore=ignore).fingerprint
    changed["lineItems"][0]["title"] = "Cup"
    assert order_of(changed, ignore=ignore).fingerprint != order_of(full_document(), ignore=ignore).fingerprint


def test_an_update_time_counts_only_when_the_mapping_gives_it_and_nothing_ignores_it() -> None:
    contract = RedoContract("UTC", [])
    row = document()
    assert contract.order(row, SEEN_AT).fingerprint == contract.order(row, SEEN_AT + 60).fingerprint
    given_one = contract.order(document(updatedAt="2024-05-01"), SEEN_AT).fingerprint
    assert given_one != contract.order(document(updatedAt="2024-05-02"), SEEN_AT).fingerprint


def test_an_ignored_path_that_does_not_exist_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"mapping\.ignore: lineItems\.imag is not a path") as caught:
        RedoContract("Mars/Phobos", ["lineItems.imag", "tags"])
    assert [problem.where for problem in caught.value.problems] == ["source.timezone", "mapping.ignore"]


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_of_any_size_have_one_form(number: int | Decimal) -> None:
    form = dump([same_number(number)])
    assert dump([same_number(Decimal(number))]) == form
    assert dump([same_number(Decimal(number) * 1)]) == form or len(Decimal(number).as_tuple().digits) > 28


def test_repeated_identities_do_not_make_the_form_depend_on_the_order() -> None:
    rows = [{"discountId": "D", "amountSet": money("1")}, {"discountId": "D", "amountSet": money("2")}]
    one, other = {"discounts": rows}, {"discounts": copy.deepcopy(rows[::-1])}
    assert dump(canonical(one, {})) == dump(canonical(other, {}))


def test_the_fingerprint_starts_with_its_version() -> None:
    assert order_of(document()).fingerprint[:1] == b"\x01"
    assert len(order_of(document()).fingerprint) == 33
