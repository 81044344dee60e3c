"""Differences between two payloads, as an operator reads them."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from connector.contract.field_diff import differences
from tests.support.redo_orders import document, documents, full_document, line_item, order_of


def between(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return differences(order_of(old).body, order_of(new).body)


def test_a_changed_field_is_named_with_both_values() -> None:
    changed = full_document()
    changed["lineItems"][0]["quantity"] = 3
    changed["customer"]["phone"] = "+1"
    assert between(full_document(), changed) == [
        ("customer.phone", None, "+1"),
        ("lineItems[id=L1].quantity", 2, 3),
    ]


def test_a_line_that_came_or_went_is_named_by_its_id() -> None:
    one, both = document(lineItems=[line_item("A")]), document(lineItems=[line_item("B"), line_item("A")])
    assert ("lineItems[id=B].sku", None, "S1") in between(one, both)
    assert ("lineItems[id=B].sku", "S1", None) in between(both, one)
    assert not [path for path, _, _ in between(one, both) if "id=A" in path]


def test_without_an_old_payload_every_field_is_new() -> None:
    found = differences(None, order_of(document()).body)
    assert ("id", None, "1001") in found
    assert ("createdAt", None, "2024-05-01T08:00:00Z") in found
    assert all(old is None for _, old, _ in found)


def test_what_the_fingerprint_ignores_by_nature_is_no_difference() -> None:
    same = full_document()
    same["lineItems"].reverse()
    same["tags"].reverse()
    same["lineItems"][0]["priceSet"] = "10"
    same["salesChannel"] = "web"
    assert between(full_document(), same) == []


@given(documents(), documents())
def test_there_is_a_difference_just_when_the_fingerprints_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert between(one, one) == []
    old, new = order_of(one, ignore=()), order_of(other, ignore=())
    assert bool(differences(old.body, new.body)) == (old.fingerprint != new.fingerprint)
