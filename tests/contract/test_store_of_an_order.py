"""Which of several stores an order goes to: the mapping's `store_id`, which is no part of the order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.order_builder import RedoContract
from connector.model.errors import InvalidOrder
from connector.model.orders import Place
from tests.support.redo_orders import SEEN_AT, document, full_document, line_item

CONTRACT = RedoContract("UTC", (), "main", frozenset({"outlet", "42"}))
UNKNOWN = "is no store of the settings: add [redo.stores.<id>] with its api_secret (`preview` shows the id)"


def complaints(row: dict[str, Any], contract: RedoContract = CONTRACT) -> dict[str, str]:
    """Message by path."""
    with pytest.raises(InvalidOrder) as caught:
        contract.order(row, SEEN_AT)
    return {violation.path: violation.message for violation in caught.value.violations}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given_store", "goes_to"),
    [
        ({}, "main"),
        ({"store_id": None}, "main"),
        ({"storeId": None, "store_id": None}, "main"),
        ({"store_id": "main"}, "main"),
        ({"store_id": "outlet"}, "outlet"),
        ({"storeId": "outlet"}, "outlet"),
        ({"store_id": "outlet", "storeId": "outlet"}, "outlet"),
        ({"store_id": "outlet", "storeId": None}, "outlet"),
        ({"store_id": 42}, "42"),
        ({"store_id": 42, "storeId": "42"}, "42"),
    ],
)
def test_an_order_goes_to_the_store_that_its_row_names_or_to_the_default(
    given_store: dict[str, Any], goes_to: str
) -> None:
    assert CONTRACT.order(document(**given_store), SEEN_AT).place == Place(goes_to, "1001")


@pytest.mark.parametrize("name", ["store_id", "storeId"])
def test_the_store_is_no_part_of_the_order(name: str) -> None:
    plain, named = CONTRACT.order(full_document(), SEEN_AT), CONTRACT.order(full_document() | {name: "outlet"}, SEEN_AT)
    assert (named.body, named.fingerprint, named.digest) == (plain.body, plain.fingerprint, plain.digest)
    assert named.place != plain.place


@pytest.mark.parametrize("store", ["elsewhere", "", " main", "Main", 43, -1, "MAIN"])
def test_a_store_that_the_settings_do_not_have_is_refused_without_its_name(store: str | int) -> None:
    assert complaints(document(store_id=store)) == {"store_id": UNKNOWN}
    assert complaints(document(storeId=store)) == {"store_id": UNKNOWN}


def test_without_further_stores_only_the_default_is_one() -> None:
    contract = RedoContract("UTC", (), "main")
    assert contract.order(document(store_id="main"), SEEN_AT).store_id == "main"
    assert complaints(document(store_id="outlet"), contract) == {"store_id": UNKNOWN}


@pytest.mark.parametrize("store", [True, ["main"], {"main": "main"}, 1.5])
def test_a_store_of_another_type_is_refused(store: Any) -> None:
    assert complaints(document(store_id=store)) == {"store_id": "must be text or a whole number"}


def test_two_spellings_that_differ_are_refused() -> None:
    assert "keep one" in complaints(document(store_id="outlet", storeId="main"))["store_id"]


def test_a_wrong_store_is_reported_with_everything_else_that_is_wrong() -> None:
    wrong_shape = document(store_id="elsewhere", createdAt="soon")
    assert set(complaints(wrong_shape)) == {"store_id", "createdAt"}
    broken_rule = document(store_id="elsewhere", lineItems=[line_item("A_1")])
    assert set(complaints(broken_rule)) == {"store_id", "lineItems[0].id"}


def test_the_row_that_was_given_stays_as_it_is() -> None:
    row = document(store_id="outlet", storeId="outlet")
    CONTRACT.order(row, SEEN_AT)
    assert row == document(store_id="outlet", storeId="outlet")


@given(st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.floats())
def test_whatever_is_given_is_a_known_store_or_a_violation(store: Any) -> None:
    try:
        assert CONTRACT.order(document(store_id=store), SEEN_AT).store_id in {"main", "outlet", "42"}
    except InvalidOrder as error:
        assert [violation.path for violation in error.violations] == ["store_id"]  # type: ignore[attr-defined]  # noqa: PT017
