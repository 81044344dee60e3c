"""The row digest: it changes with whatever an order is made of."""

from __future__ import annotations

import pytest

from connector.model.errors import OrderUnreadable
from connector.model.orders import Members, OrderKey
from connector.model.rows import Row

ROW = Row(OrderKey("7"), '{"id":7,"note":"a"}')
MEMBERS = {"@oms.payment:1": frozenset({"3", "4"}), "@oms.gift:1": frozenset({"3"})}
SALT = b"salt"
DIGEST = ROW.digest(MEMBERS, SALT)


def test_an_equal_row_with_equal_child_rows_has_the_same_digest_whatever_their_order() -> None:
    shuffled = {name: frozenset(sorted(MEMBERS[name], reverse=True)) for name in reversed(MEMBERS)}
    assert Row(OrderKey("7"), str(ROW.text)).digest(shuffled, SALT) == DIGEST
    assert len(DIGEST) == 16


@pytest.mark.parametrize(
    ("text", "members", "salt"),
    [
        ('{"id":7,"note":"b"}', MEMBERS, SALT),
        ('{"id": 7,"note":"a"}', MEMBERS, SALT),
        (ROW.text, {}, SALT),
        (ROW.text, {**MEMBERS, "@oms.gift:1": frozenset({"4"})}, SALT),
        (ROW.text, {**MEMBERS, "@oms.gift:1": frozenset({"3", "4"})}, SALT),
        (ROW.text, {"@oms.payment:2": MEMBERS["@oms.payment:1"], "@oms.gift:1": MEMBERS["@oms.gift:1"]}, SALT),
        (ROW.text, {"@oms.payment:1": MEMBERS["@oms.gift:1"], "@oms.gift:1": MEMBERS["@oms.payment:1"]}, SALT),
        (ROW.text, MEMBERS, b"another"),
    ],
    ids=["value", "text", "no child rows", "a child row", "one more", "an index's name", "swapped", "salt"],
)
def test_each_thing_that_an_order_is_made_of_changes_the_digest(text: str, members: Members, salt: bytes) -> None:
    assert Row(OrderKey("7"), text).digest(members, salt) != DIGEST


def test_text_that_is_no_utf_8_has_a_digest_too() -> None:
    odd = Row(OrderKey("7"), '{"id":"\udc80"}')
    assert odd.digest({}, SALT) != Row(OrderKey("7"), '{"id":"\udc81"}').digest({}, SALT)


def test_a_row_that_can_not_be_parsed_names_its_order_and_no_value() -> None:
    with pytest.raises(OrderUnreadable, match="order 7") as caught:
        Row(OrderKey("7"), "[" * 100_000).document()
    assert "[[" not in str(caught.value)


def test_a_row_shows_no_value_where_it_is_printed() -> None:
    assert "note" not in repr(ROW)
