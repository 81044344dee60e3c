"""What a database may hold, as a mapping's row: an order, or what is wrong with it, and never anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connector.contract.order_builder import MOST_VIOLATIONS, RedoContract
from connector.contract.rules.checks import LONGEST_ID
from connector.model.errors import InvalidOrder
from connector.model.texts import is_storable
from tests.support.redo_orders import document

NESTED = json.loads("[" * 900 + "]" * 900)
ODD: list[Any] = [
    "\0",
    "\ud800",
    "x\udfff",
    "\u202e\u200b\x1b[2J",
    "[" * 3000,
    NESTED,
    json.loads('{"a":' * 900 + "1" + "}" * 900),
    10**4000,
    Decimal("1E+999999"),
    Decimal("1E-999999"),
    Decimal("9" * 300 + ".555"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("-Infinity"),
    True,
    None,
    [],
    {"\ud800": 1},
    {"\0": "\0"},
    "9" * 5000,
    "1e999999",
    "NaN",
    "2026-01-01T00:00:00+99:99",
    "9999999-01-01",
]
LARGE: list[Any] = ["x" * 1_000_000, {"x" * 1_000_000: 1}]


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if here:
        yield here
    steps = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for step, below in steps:
        yield from paths(below, (*here, step))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, list):
        return [put(below, path[1:], new) if at == path[0] else below for at, below in enumerate(value)]
    return {**value, path[0]: put(value.get(path[0], {}), path[1:], new)}


FREE = [("properties",), ("metafields",), ("lineItems", 0, "properties"), ("transactions",), ("store_id",), ("zzz",)]


@pytest.mark.parametrize("path", [*paths(document()), *FREE], ids=str)
def test_an_odd_value_anywhere_is_an_order_or_violations_that_can_be_kept(path: tuple[Any, ...]) -> None:
    contract = RedoContract()
    for odd in [*ODD, *(LARGE if len(path) == 1 else ())]:
        try:
            order = contract.order(put(document(), path, odd), 0.0)
        except InvalidOrder as error:
            said = str(error)
        else:
            said = ""
            assert b"\0" not in order.body
            assert len(order.order_id) <= LONGEST_ID
            assert is_storable(order.order_id)
        assert is_storable(said)
        assert len(said) < 20_000


def test_an_id_that_no_index_holds_is_the_orders_own_trouble() -> None:
    contract = RedoContract()
    for odd in ("\0", "a\0", "x" * 256, 10**300):
        with pytest.raises(InvalidOrder, match="id: must have 255 characters at most, and no zero byte"):
            contract.order({**document(), "id": odd}, 0.0)
    assert contract.order({**document(), "id": "x" * 255}, 0.0).order_id == "x" * 255


def test_of_endless_violations_the_first_ones_are_told_and_how_many_more_there_are() -> None:
    with pytest.raises(InvalidOrder) as caught:
        RedoContract().order({**document(), "lineItems": ["x"] * 5000}, 0.0)
    assert len(caught.value.violations) == MOST_VIOLATIONS + 1
    assert str(caught.value.violations[-1]).startswith("and 4,90")
