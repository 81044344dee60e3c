"""Which fields changed since Redo accepted the order, told from a few bytes a field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.canonical import canonical, ignoring, parts
from connector.contract.field_digest import FIELDS, VERSION, changed_fields, digest
from connector.contract.schema.field_tree import field_tree
from tests.support.redo_orders import (
    document,
    documents,
    full_document,
    line_item,
    order_of,
    payload_of,
    respelled,
)


def changed(old: dict[str, Any], new: dict[str, Any], ignore: tuple[str, ...] = ("updatedAt",)) -> tuple[str, ...]:
    return changed_fields(order_of(old, ignore=ignore).digest, order_of(new, ignore=ignore).digest)


@given(documents(), st.sampled_from([document(), full_document()]), st.sets(st.sampled_from(FIELDS)))
def test_a_field_is_named_if_and_only_if_its_canonical_form_differs(
    one: dict[str, Any], other: dict[str, Any], exchanged: set[str]
) -> None:
    old, donor = payload_of(one), payload_of(other)
    mixed = {name: (donor if name in exchanged else old).get(name) for name in FIELDS}
    before, after = parts(canonical(old, {})), parts(canonical(mixed, {}))
    differing = tuple(name for name in FIELDS if before.get(name) != after.get(name))
    assert changed_fields(digest(before), digest(after)) == differing
    assert changed_fields(digest(after), digest(before)) == differing


def test_what_is_the_same_to_redo_has_the_same_digest() -> None:
    other = respelled(full_document(), snake=True)
    other["line_items"].reverse()
    other["tags"].reverse()
    assert order_of(other).digest == order_of(full_document()).digest


@pytest.mark.parametrize("name", sorted(full_document()))
def test_every_field_can_be_named(name: str) -> None:
    form = parts(canonical(full_document(), {}))
    without = {other: value for other, value in form.items() if other != name}
    assert changed_fields(digest(form), digest(without)) == (name,)


def test_the_fields_that_changed_are_named_in_the_digests_order() -> None:
    new = document(tags=["vip"], lineItems=[line_item(quantity=3)])
    assert changed(document(), new) == ("lineItems", "tags")
    assert changed(document(), document(tags=[], salesChannel=None)) == ()


def test_what_is_ignored_is_not_named() -> None:
    new = document(updatedAt="2024-06-01", lineItems=[line_item(image="https://example.com/new.png")])
    assert changed(document(), new, ignore=("updatedAt", "lineItems.image")) == ()
    assert changed(document(), new, ignore=("updatedAt",)) == ("lineItems",)
    assert digest(parts(canonical({"tags": ["a"]}, ignoring(["tags"])))) == digest({})


@pytest.mark.parametrize("unknown", [b"", b"\x00" + b"1234" * len(FIELDS), b"\xff12"])
def test_nothing_is_named_when_one_side_is_not_known(unknown: bytes) -> None:
    known = order_of(document()).digest
    assert changed_fields(unknown, known) == ()
    assert changed_fields(known, unknown) == ()


def test_a_digest_covers_every_field_of_the_order_in_four_bytes_each() -> None:
    assert set(FIELDS) == set(field_tree())
    made = order_of(full_document()).digest
    assert (made[:1], len(made)) == (VERSION, 1 + 4 * len(FIELDS))


def test_the_digest_of_a_version_never_changes() -> None:
    # Digests are kept: another byte for the same field would name a field that did not change.
    expected = {"id": "a09acfcf", "tags": "3dc99cd5"}
    assert digest(parts({"id": "1001", "tags": ["a", "b"]})).hex() == "01" + "".join(
        expected.get(name, "00000000") for name in FIELDS
    )
