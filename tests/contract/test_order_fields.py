"""How values of the mapping become what Redo takes, and what is said when they can't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connector.model.errors import InvalidOrder
from connector.model.orders import Violation
from tests.support.redo_orders import (
    document,
    full_document,
    line_item,
    money,
    order_of,
    payload_of,
    respelled,
)


def complaints(row: dict[str, Any]) -> dict[str, str]:
    """Message by path."""
    with pytest.raises(InvalidOrder) as caught:
        order_of(row)
    return {violation.path: violation.message for violation in caught.value.violations}  # type: ignore[attr-defined]


def test_only_fields_of_that_object_are_said_to_be_meant() -> None:
    found = complaints(document(lineItems=[line_item(emial="x", cancelled_at="x", quantty=2)], cancelled="x"))
    nowhere = "is not a field that Redo knows here"
    assert found == {
        "lineItems[0].emial": nowhere,
        "lineItems[0].cancelledAt": nowhere,
        "lineItems[0].quantty": f"{nowhere}; did you mean quantity?",
        "cancelled": f"{nowhere}; did you mean cancelledAt?",
    }


def test_the_whole_contract_passes_through_unchanged() -> None:
    assert payload_of(full_document()) == full_document()


def test_both_spellings_are_read_at_every_level() -> None:
    assert payload_of(respelled(full_document(), snake=True)) == full_document()


def test_a_field_given_in_both_spellings_is_refused() -> None:
    assert "keep one spelling" in complaints(document(created_at="2024-05-01"))["createdAt"]


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"creatdAt": "x"}, "creatdAt", "did you mean createdAt?"),
        ({"customer": {"emial": "x"}}, "customer.emial", "did you mean email?"),
        ({"lineItems": [line_item(color="red")]}, "lineItems[0].color", "is not a field"),
        ({"lineItems": [line_item() | {"a key, which is data": 1}]}, "lineItems[0].?", "is not a field"),
        ({"lineItems": [None]}, "lineItems[0]", "LEFT JOIN"),
        ({"lineItems": {}}, "lineItems", "must be a list"),
        ({"lineItems": [line_item(title=None)]}, "lineItems[0].title", "must not be NULL"),
        ({"lineItems": [line_item(title=5)]}, "lineItems[0].title", "must be text"),
        ({"lineItems": [line_item(quantity="2")]}, "lineItems[0].quantity", "must be a number"),
        ({"lineItems": [line_item(quantity=True)]}, "lineItems[0].quantity", "must be a number"),
        ({"lineItems": [line_item(id=" ")]}, "lineItems[0].id", "must not be empty"),
        ({"lineItems": [line_item(id=Decimal("1.5"))]}, "lineItems[0].id", "whole number"),
        ({"shippingAddress": "1 High St"}, "shippingAddress", "must be an object"),
        ({"cancelReason": "bored"}, "cancelReason", "must be one of 'customer'"),
        ({"type": "draft"}, "type", "must be one of 'order'"),
        ({"createdAt": 1714557600}, "createdAt", "to_timestamp()"),
        ({"createdAt": "infinity"}, "createdAt", "not infinity"),
        ({"createdAt": "10000-01-01T00:00:00"}, "createdAt", "years 1 to 9999"),
        ({"createdAt": "0044-03-15 BC"}, "createdAt", "BC"),
        ({"createdAt": "2024-02-30"}, "createdAt", "that exists"),
        ({"createdAt": "0001-01-01T00:00:00+02:00"}, "createdAt", "years 1 to 9999"),
    ],
)
def test_a_wrong_value_is_named_by_path_and_told_how_to_mend(changes: dict[str, Any], path: str, words: str) -> None:
    assert words in complaints(document(**changes))[path]


def test_a_required_field_that_is_missing_is_named() -> None:
    row = document()
    del row["lineItems"], row["customer"]["email"]
    found = complaints(row)
    assert set(found) == {"lineItems", "customer.email"}
    assert found["lineItems"] == "is required: add it to the mapping"


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"customer": document()["customer"] | {"email": "ada at example"}}, "customer.email", "email address"),
        ({"lineItems": []}, "lineItems", "at least one item"),
        ({"lineItems": None}, "lineItems", "at least one item"),
        ({"lineItems": [line_item("7"), line_item(7)]}, "lineItems[1].id", "unique within the order"),
        ({"lineItems": [line_item(), line_item("X", vendor="re:do")]}, "lineItems[1].sku", "must be exactly x-redo"),
        ({"lineItems": [line_item(), line_item("X", sku="x-redo")]}, "lineItems[1].vendor", "must be exactly re:do"),
        ({"presentmentCurrency": "$", "shopCurrency": "USD", "lineItems": []}, "presentmentCurrency", "ISO 4217"),
        ({"shopCurrency": "usd", "lineItems": []}, "shopCurrency", "ISO 4217"),
        (
            {"transactions": [full_document()["transactions"][0] | {"currency": "QQ"}]},
            "transactions[0].currency",
            "ISO",
        ),
    ],
)
def test_what_redo_would_refuse_is_found_before_it_is_sent(changes: dict[str, Any], path: str, words: str) -> None:
    assert words in complaints(document(**changes))[path]


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("lineItems[2].sku", "lineItems[].sku: must be text"),
        ("refunds[10].lineItems[0].quantity", "refunds[].lineItems[].quantity: must be text"),
        ("customer.email", "customer.email: must be text"),
        ("", "must be text"),
    ],
)
def test_violations_of_one_cause_are_told_without_places_in_lists(path: str, cause: str) -> None:
    assert Violation(path, "must be text").cause == cause


def test_everything_wrong_with_an_order_is_reported_at_once() -> None:
    row = document(
        createdAt="soon",
        shopCurrency="Dollar",
        presentmentCurrency="Dollar",
        lineItems=[line_item("a_b", priceSet="1,5"), line_item("L2", quantity="many", priceSet=5)],
        fulfillments=[{"id": "F", "lineItems": []}, {"id": "F", "lineItems": []}],
    )
    assert set(complaints(row)) == {
        "createdAt",
        "shopCurrency",
        "presentmentCurrency",
        "lineItems[0].id",
        "lineItems[0].priceSet",
        "lineItems[1].quantity",
        "fulfillments[1].id",
    }


SECRET = "zanzibar"


@pytest.mark.parametrize("number", [SECRET, 987654321, Decimal("9876.54321"), [SECRET], {SECRET: SECRET}, True])
def test_no_message_holds_a_value(number: Any) -> None:
    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: spoil(below) if isinstance(below, dict | list) else number for name, below in value.items()}
        return [spoil(below) for below in value] if isinstance(value, list) else value

    found = complaints(spoil(full_document()))
    assert found
    assert not [text for text in (*found, *found.values()) if SECRET in text or "9876" in text]


@pytest.mark.parametrize("amount", ["12.50", Decimal("12.50")])
def test_one_amount_stands_for_both_when_the_currencies_are_the_same(amount: str | Decimal) -> None:
    row = document(lineItems=[line_item(priceSet=amount)])
    assert payload_of(row)["lineItems"][0]["priceSet"] == money("12.50")


def test_a_lone_money_stands_for_both_when_the_currencies_are_the_same() -> None:
    row = document(lineItems=[line_item(priceSet={"amount": 7, "currency_code": "USD"})])
    assert payload_of(row)["lineItems"][0]["priceSet"] == money("7")


@pytest.mark.parametrize("short", ["1.00", Decimal("1.00"), 1, {"amount": "1.00", "currencyCode": "USD"}])
def test_one_amount_is_refused_when_the_order_has_two_currencies(short: Any) -> None:
    row = document(presentmentCurrency="EUR", lineItems=[line_item(priceSet=short)])
    assert "give both as {presentmentMoney: {amount" in complaints(row)["lineItems[0].priceSet"]


def test_two_currencies_pass_when_both_amounts_are_given() -> None:
    pair = {
        "presentmentMoney": {"amount": "0.90", "currencyCode": "EUR"},
        "shopMoney": {"amount": "1.00", "currencyCode": "USD"},
    }
    row = document(presentmentCurrency="EUR", lineItems=[line_item(priceSet=pair)])
    assert payload_of(row)["lineItems"][0]["priceSet"] == pair


@pytest.mark.parametrize(
    ("given_money", "path"),
    [
        ({"presentmentMoney": money("1")["shopMoney"]}, "priceSet.shopMoney"),
        (money("1") | {"shopMoney": {"amount": "x", "currencyCode": "USD"}}, "priceSet.shopMoney.amount"),
        (money("1") | {"shopMoney": {"amount": "1", "currencyCode": "EUR"}}, "priceSet.shopMoney"),
        (money("1") | {"presentmentMoney": {"amount": "1", "currencyCode": "EUR"}}, "priceSet.presentmentMoney"),
        (money("1") | {"shopMoney": {"amount": "1"}}, "priceSet.shopMoney.currencyCode"),
        (money("1") | {"total": 1}, "priceSet.total"),
        ({"amount": "1", "currencyCode": "EUR"}, "priceSet"),
        ({"amount": "NaN", "currencyCode": "USD"}, "priceSet.amount"),
        ("Infinity", "priceSet"),
        ("1e5000", "priceSet"),
        ("$5", "priceSet"),
        ("1_000", "priceSet"),
        (None, "priceSet"),
        (True, "priceSet"),
    ],
)
def test_money_that_is_wrong_is_named_where_it_is_wrong(given_money: Any, path: str) -> None:
    assert list(complaints(document(lineItems=[line_item(priceSet=given_money)]))) == [f"lineItems[0].{path}"]


@pytest.mark.parametrize(
    ("given_amount", "sent"),
    [("10.00", "10.00"), (Decimal("1E+2"), "100"), ("1e-1", "0.1"), ("+5", "5"), ("007.50", "7.50"), (-3, "-3")],
)
def test_amounts_go_out_in_plain_notation_with_their_digits(given_amount: Any, sent: str) -> None:
    row = document(lineItems=[line_item(priceSet=given_amount)])
    assert payload_of(row)["lineItems"][0]["priceSet"] == money(sent)


def test_numbers_keep_every_digit_on_the_wire() -> None:
    row = full_document()
    row["transactions"][0] |= {"rate": Decimal("0.1000000000000000055511151231257827"), "big": 2**70}
    body = order_of(row).body
    assert b'"rate":0.1000000000000000055511151231257827' in body
    assert b'"big":1180591620717411303424' in body


def test_a_transaction_amount_may_be_numeric_text_and_goes_out_as_a_number() -> None:
    row = full_document()
    row["transactions"][0]["amount"] = "25.80"
    assert b'"amount":25.80,' in order_of(row).body


def test_whole_quantities_lose_their_fraction_and_other_fractions_stay() -> None:
    lines = [line_item("A", quantity=Decimal("10.0")), line_item("B", quantity=Decimal("1.50"))]
    body = order_of(document(lineItems=lines)).body
    assert b'"quantity":10,' in body
    assert b'"quantity":1.50,' in body


def test_numeric_ids_become_text_exactly() -> None:
    row = document(id=2**63 + 1, lineItems=[line_item(9007199254740993, productId=7, sku=12)])
    payload = payload_of(row)
    assert payload["id"] == order_of(row).order_id == "9223372036854775809"
    assert payload["lineItems"][0]["id"] == "9007199254740993"
    assert (payload["lineItems"][0]["productId"], payload["lineItems"][0]["sku"]) == ("7", "12")


def test_null_lists_become_empty_and_nulls_are_sent_only_where_the_schema_allows_them() -> None:
    row = document(
        fulfillments=None,
        tags=None,
        refunds=None,
        billingAddress=None,
        cancelReason=None,
        customer={"email": "a@b.co", "first_name": "A", "last_name": "B", "id": None, "phone": None, "tags": None},
        shippingLines=[{"id": 1, "title": "Std", "price_set": 5, "code": None}],
    )
    payload = payload_of(row)
    assert (payload["fulfillments"], payload["tags"], payload["refunds"]) == ([], [], [])
    assert payload["billingAddress"] is payload["cancelReason"] is payload["customer"]["phone"] is None
    assert "id" not in payload["customer"]
    assert payload["customer"]["tags"] == []
    assert "code" not in payload["shippingLines"][0]
    assert "metafields" not in payload


def test_type_and_update_time_may_be_left_out() -> None:
    for row in (document(), document(type=None, updatedAt=None), document(updated_at=None)):
        payload = payload_of(row)
        assert (payload["type"], payload["updatedAt"]) == ("order", "2024-05-01T10:00:00Z")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2024-05-01T10:00:00", "2024-05-01T14:00:00Z"),
        ("2024-05-01 10:00:00", "2024-05-01T14:00:00Z"),
        ("2024-05-01", "2024-05-01T04:00:00Z"),
        ("2024-05-01T10:00:00.123456+02:00", "2024-05-01T08:00:00.123456Z"),
        ("2024-05-01 10:00:00.5+02", "2024-05-01T08:00:00.500Z"),
        ("2024-05-01T10:00:00.000000Z", "2024-05-01T10:00:00Z"),
        ("1880-05-01T10:00:00-00:01:15", "1880-05-01T10:01:15Z"),
        ("2024-05-01T10:00:00+0530", "2024-05-01T04:30:00Z"),
        ("2024-03-10T02:30:00", "2024-03-10T07:30:00Z"),  # never was: the offset before the jump
        ("2024-11-03T01:30:00", "2024-11-03T06:30:00Z"),  # was twice: the offset after the jump
    ],
)
def test_every_text_form_of_a_postgres_time_becomes_utc(written: str, sent: str) -> None:
    assert payload_of(document(cancelledAt=written), "America/New_York")["cancelledAt"] == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00+00:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01 10:00:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01", "2024-05-01T00:00:00Z"),
        ("2024-05-01T10:00:00.120", "2024-05-01T10:00:00.120Z"),
        ("2024-05-01T10:00:00+01:00", "2024-05-01T09:00:00Z"),
    ],
)
def test_a_time_that_is_in_utc_already_has_the_same_form(written: str, sent: str) -> None:
    assert payload_of(document(cancelledAt=written))["cancelledAt"] == sent


def test_null_leaves_out_what_may_be_absent_but_not_null() -> None:
    discount = {"discountId": "D", "amountSet": 1, "discountTitle": None, "discount_code": None}
    sent = payload_of(document(orderDiscounts=[discount], customer=document()["customer"] | {"id": None}))
    assert set(sent["orderDiscounts"][0]) == {"discountId", "amountSet"}
    assert "id" not in sent["customer"]


def test_a_gateways_own_fields_pass_through_untouched() -> None:
    extra = {"snake_case": {"inner_key": [1, None, Decimal("1.50")]}, "camelCase": "10.0"}
    row = full_document()
    row["transactions"][0] |= extra
    sent = payload_of(row)["transactions"][0]
    assert {name: sent[name] for name in extra} == extra


@pytest.mark.parametrize(
    ("value", "words"),
    [("\ud800", "surrogate"), ({"\udfff": 1}, "surrogate"), (json.loads("[" * 300 + "]" * 300), "deep")],
)
def test_what_json_cannot_carry_is_a_violation(value: Any, words: str) -> None:
    row = full_document()
    row["transactions"][0]["extra"] = value
    (message,) = complaints(row).values()
    assert words in message


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for step, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(below, (*path, step))


JUNK: tuple[Any, ...] = (
    None,
    True,
    5,
    2**70,
    Decimal("1E+9999"),
    "",
    "x",
    "\ud800",
    [],
    {},
    [5],
    [[]],
    [None],
    [{}],
    {"": 1},
    {"x": {}},
)


@pytest.mark.parametrize("path", list(places(full_document())), ids=lambda path: ".".join(map(str, path)))
def test_whatever_stands_in_any_place_is_an_order_or_violations_and_nothing_else(path: tuple[Any, ...]) -> None:
    for junk in JUNK:
        row = full_document()
        level = row
        for step in path[:-1]:
            level = level[step]
        level[path[-1]] = junk
        try:
            json.loads(order_of(row).body)
        except InvalidOrder as error:
            assert error.violations  # noqa: PT017  either end is fine


def test_a_row_nested_beyond_reason_is_a_violation() -> None:
    deep: Any = json.loads("[" * 900 + "]" * 900)
    assert "lineItems[0]" in complaints(document() | {"lineItems": deep})


@pytest.mark.parametrize(
    ("given", "known_by"),
    [("W/1 #-2", "W/1 #-2"), (4711, "4711"), ("9" * 256, ""), ("two\nlines", ""), (True, ""), (Decimal("1.5"), "")],
)
def test_an_order_that_is_refused_is_known_by_the_id_that_its_row_gives(given: Any, known_by: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        order_of(document(id=given, customer=None))
    assert caught.value.order_id == known_by
