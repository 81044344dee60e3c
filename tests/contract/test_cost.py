"""What an order costs grows with its lines, never with their square: no loop over lines inside a loop over lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from connector.contract.field_diff import differences
from connector.contract.order_builder import RedoContract
from connector.model.errors import InvalidOrder
from connector.model.orders import OrderKey, Violation
from connector.redo.readback import differences_to_readback
from connector.sandbox.rules import errors_of
from tests.support.sample_orders import document

CONTRACT = RedoContract()
SEEN_AT = 1_700_000_000.0
OTHER = OrderKey("order-9")
Made: TypeAlias = dict[str, Any]


def made(lines: int, name: str = "L") -> Made:
    """An order with so many of everything that comes in lists."""
    numbers = [f"{name}{number}" for number in range(lines)]
    money = Decimal("1.50")
    discount = {"discount_id": "d", "amount_set": money}
    return document(
        "1",
        line_items=[
            {
                "id": one,
                "product_id": "7",
                "sku": "S",
                "title": "Lamp",
                "quantity": 2,
                "price_set": money,
                "discounts": [discount],
                "tax_lines": [{"price_set": money, "rate": "0.2"}],
            }
            for one in numbers
        ],
        order_discounts=[{"discount_id": one, "amount_set": money} for one in numbers],
        shipping_lines=[{"id": one, "title": "Post", "price_set": money} for one in numbers],
        fulfillments=[
            {"id": one, "line_items": [{"id": one, "quantity": 1}], "tracking_numbers": [{"tracking_number": one}]}
            for one in numbers
        ],
        refunds=[
            {
                "id": one,
                "created_at": "2026-05-01T10:00:00",
                "line_items": [{"line_item_id": one, "quantity": 1, "subtotal_set": money, "total_tax_set": money}],
                "order_level_refunds": [{"amount_set": money}],
            }
            for one in numbers
        ],
        transactions=[
            {
                "payment_id": one,
                "amount": money,
                "currency": "USD",
                "created_date": "2026-05-01T10:00:00",
                "payment_gateway": "g",
            }
            for one in numbers
        ],
        tags=numbers,
        metafields=[{"namespace": "n", "key": one, "value": "v"} for one in numbers],
    )


def built(lines: int) -> Callable[[], object]:
    row = made(lines)
    return lambda: CONTRACT.order(row, SEEN_AT)


def refused_by_the_models(lines: int) -> Callable[[], object]:
    row = made(lines)
    for number, line in enumerate(row["line_items"]):
        line[f"titel{number}"] = line.pop("title")
    return lambda: _refused(row)


def refused_by_the_rules(lines: int) -> Callable[[], object]:
    row = made(lines)
    for line in row["line_items"]:
        line["id"] = "the_same"
    return lambda: _refused(row)


def cancelled(lines: int) -> Callable[[], object]:
    order = CONTRACT.order(made(lines), SEEN_AT)
    return lambda: CONTRACT.cancelled(order.body, order.place, SEEN_AT)


def named_lines(lines: int) -> Callable[[], object]:
    traits = CONTRACT.order(made(lines), SEEN_AT).traits
    return lambda: CONTRACT.line_items(traits)


def every_line_reused(lines: int) -> Callable[[], object]:
    traits = CONTRACT.order(made(lines), SEEN_AT).traits
    owners = dict.fromkeys(CONTRACT.line_items(traits), OTHER)
    return lambda: CONTRACT.reused(traits, owners)


def every_line_renamed(lines: int) -> Callable[[], object]:
    before, after = (CONTRACT.order(made(lines, name), SEEN_AT).traits for name in ("L", "M"))
    return lambda: CONTRACT.suspicions(before, after)


def every_line_shown_to_differ(lines: int) -> Callable[[], object]:
    before, after = (CONTRACT.order(made(lines, name), SEEN_AT).body for name in ("L", "M"))
    return lambda: differences(before, after)


def read_back(lines: int) -> Callable[[], object]:
    body = CONTRACT.order(made(lines), SEEN_AT).body
    return lambda: differences_to_readback(body, json.loads(body, parse_float=Decimal))


def taken_by_the_sandbox(lines: int) -> Callable[[], object]:
    order = json.loads(CONTRACT.order(made(lines), SEEN_AT).body)
    return lambda: errors_of(order)


def _refused(row: Made) -> tuple[object, ...]:
    with pytest.raises(InvalidOrder) as refused:
        CONTRACT.order(row, SEEN_AT)
    return refused.value.violations


WORK = (
    built,
    refused_by_the_models,
    refused_by_the_rules,
    cancelled,
    named_lines,
    every_line_reused,
    every_line_renamed,
    every_line_shown_to_differ,
    read_back,
    taken_by_the_sandbox,
)


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions it makes, Python's and C's."""
    counted = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    work()  # what is made only once
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_twice_the_lines_are_twice_the_calls_at_most(work: Callable[[int], Callable[[], object]]) -> None:
    once, twice = calls(work(50)), calls(work(100))
    assert twice < 2.2 * once


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("work", [built, every_line_reused], ids=lambda work: work.__name__)
def test_so_they_are_for_an_order_of_50_000_lines(work: Callable[[int], Callable[[], object]]) -> None:
    once, twice = calls(work(25_000)), calls(work(50_000))
    assert twice < 2.2 * once


@pytest.mark.parametrize("work", [built, refused_by_the_models, every_line_renamed], ids=lambda work: work.__name__)
def test_eight_times_the_lines_cost_nowhere_near_64_times_the_processor(
    work: Callable[[int], Callable[[], object]],
) -> None:
    """What calls don't show: a list that is copied or moved as a whole for each line. The least of three times is one
    without a garbage collection of the whole process."""

    def seconds(lines: int) -> float:
        doing, times = work(lines), []
        for _ in range(3):
            began = time.thread_time()
            doing()
            times.append(time.thread_time() - began)
        return min(times)

    assert seconds(800) < 40 * seconds(100)


def test_of_many_violations_the_first_are_named_and_the_others_counted() -> None:
    found = refused_by_the_models(300)()
    assert isinstance(found, tuple)
    assert len(found) == 101
    assert isinstance(found[0], Violation)
    assert found[0].path == "lineItems[0].title"
    assert str(found[-1]) == "and 500 more"
