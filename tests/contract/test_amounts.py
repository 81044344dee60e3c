"""Amounts as their currencies are written: zeros beyond the decimals are cut, other digits rounded or kept."""

from __future__ import annotations

import json
from collections import Counter
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.schema.currencies import CURRENCIES, Scales
from tests.support.redo_orders import document, full_document, line_item, money
from tests.support.rule_breaking import made

EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
DECIMALS = {"JPY": 0, "USD": 2, "EUR": 2, "KWD": 3, "CLF": 4}


def priced(price: Any, currency: str = "USD") -> dict[str, Any]:
    return document(presentmentCurrency=currency, shopCurrency=currency, lineItems=[line_item(priceSet=price)])


def sent(price: Any, currency: str = "USD", *, keep_digits: bool = False) -> tuple[str, list[str]]:
    """The amount on the wire, and the rules that are warned of."""
    order = made(priced(price, currency), keep_digits=keep_digits)
    amounts = json.loads(order.body)["lineItems"][0]["priceSet"]
    assert amounts["presentmentMoney"] == amounts["shopMoney"]
    return amounts["shopMoney"]["amount"], [one.kind for one in order.warnings if one.kind != "currency_not_active"]


@pytest.mark.parametrize(
    ("given_price", "currency", "amount"),
    [
        ("74.7000000000000000", "USD", "74.70"),
        (Decimal("74.7000000000000000"), "USD", "74.70"),
        ({"amount": "74.7000", "currencyCode": "USD"}, "USD", "74.70"),
        (money("74.7000"), "USD", "74.70"),
        (money("74.70") | {"shopMoney": {"amount": "74.7000", "currency_code": "USD"}}, "USD", "74.70"),
        ("1" + "0" * 20, "USD", "1" + "0" * 20),
        ("1" + "0" * 20 + ".000", "USD", "1" + "0" * 20 + ".00"),
        ("1" + "0" * 20 + ".0", "JPY", "1" + "0" * 20),
        ("0.1" + "0" * 50, "USD", "0.10"),
        ("100", "JPY", "100"),
        ("995.0000", "JPY", "995"),
        (Decimal("995.00"), "JPY", "995"),
        ("1.2340000", "KWD", "1.234"),
        ("1.23400", "CLF", "1.2340"),
        ("1.000", "USD", "1.00"),
        ("-0.000", "USD", "-0.00"),
        ("10", "USD", "10"),
        ("10.5", "USD", "10.5"),
        ("0", "USD", "0"),
    ],
)
@pytest.mark.parametrize("keep", [False, True])
def test_zeros_beyond_the_decimals_are_cut_without_a_word(
    given_price: Any, currency: str, amount: str, keep: bool
) -> None:
    assert sent(given_price, currency, keep_digits=keep) == (amount, [])


@pytest.mark.parametrize(
    ("given_price", "currency", "amount"),
    [
        ("9.95", "JPY", "10"),
        ("9.5", "JPY", "10"),
        ("8.5", "JPY", "8"),
        ("74.705", "USD", "74.70"),
        ("74.715", "USD", "74.72"),
        ("74.7050000001", "USD", "74.71"),
        (Decimal("0.0004"), "KWD", "0.000"),
        ("-0.001", "USD", "0.00"),
        ("999.995", "USD", "1000.00"),
        ("1e-20", "USD", "0.00"),
        ("9" * 59 + ".995", "USD", "1" + "0" * 59 + ".00"),
    ],
)
def test_digits_are_rounded_half_even_and_warned_of(given_price: Any, currency: str, amount: str) -> None:
    assert sent(given_price, currency) == (amount, ["amount_decimals"])


@pytest.mark.parametrize(("price", "kept"), [("9.95000", "9.95"), (Decimal("9.950"), "9.95"), ("9.9", "9.9")])
def test_digits_are_kept_where_the_settings_say_so_and_warned_of(price: Any, kept: str) -> None:
    assert sent(price, "JPY", keep_digits=True) == (kept, ["amount_decimals"])


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=8),
    st.sampled_from([*DECIMALS]),
    st.sampled_from([str, Decimal]),
)
def test_any_amount_is_sent_as_its_currency_is_written(amount: Decimal, currency: str, kind: Any) -> None:
    quantum = Decimal(1).scaleb(-DECIMALS[currency])
    wanted = amount.quantize(quantum, context=EXACT)
    text, rules = sent(kind(amount), currency)
    assert Decimal(text) == wanted
    assert ("amount_decimals" in rules) == (wanted != amount)
    assert ("negative_amount" in rules) == (wanted < 0)
    kept, _ = sent(kind(amount), currency, keep_digits=True)
    assert Decimal(kept) == amount


@given(st.sampled_from([*DECIMALS]), st.decimals(-1000, 1000, places=6))
def test_what_is_sent_stays_as_it_is_when_it_is_sent_again(currency: str, amount: Decimal) -> None:
    text, _ = sent(amount, currency)
    again, rules = sent(text, currency)
    assert again == text
    assert "amount_decimals" not in rules


def test_of_a_currency_that_is_no_active_one_every_digit_is_kept() -> None:
    assert sent("9.95", "ITL") == ("9.95", [])
    assert sent("74.7000000", "ITL") == ("74.7000000", [])


def test_the_two_currencies_of_an_order_have_their_own_decimals() -> None:
    pair = {
        "presentmentMoney": {"amount": Decimal("1490.4"), "currencyCode": "JPY"},
        "shopMoney": {"amount": "9.95", "currencyCode": "USD"},
    }
    row = document(presentmentCurrency="JPY", lineItems=[line_item(priceSet=pair)])
    amounts = json.loads(made(row).body)["lineItems"][0]["priceSet"]
    assert (amounts["presentmentMoney"]["amount"], amounts["shopMoney"]["amount"]) == ("1490", "9.95")
    assert [one.kind for one in made(row).warnings] == ["amount_decimals"]


@pytest.mark.parametrize(
    ("amount", "currency", "number"),
    [
        (Decimal("25.80000"), "USD", b"25.80"),
        (Decimal("25.805"), "USD", b"25.80"),
        ("9.95", "JPY", b"10"),
        (25, "USD", b"25"),
        (Decimal("1E+2"), "USD", b"100"),
        (Decimal("-0.001"), "USD", b"0.00"),
    ],
)
def test_a_transactions_amount_is_a_number_with_its_own_currencys_decimals(
    amount: Any, currency: str, number: bytes
) -> None:
    row = full_document()
    row["transactions"][0] |= {"amount": amount, "currency": currency}
    assert b'"amount":%b,"currency"' % number in made(row).body


def test_zeros_make_no_difference_and_neither_does_keeping_digits_that_are_none() -> None:
    one, other = (made(priced(price)) for price in ("74.70", "74.7000000000000000"))
    kept = made(priced("74.7000000000000000"), keep_digits=True)
    assert one.fingerprint == other.fingerprint == kept.fingerprint
    assert one.body == other.body == kept.body
    assert made(priced("74.701")).fingerprint == one.fingerprint
    assert made(priced("74.701"), keep_digits=True).fingerprint != one.fingerprint


def test_every_active_currency_has_a_scale_of_its_own() -> None:
    scales = Scales(keep=False)
    assert Counter(scales.of(code).decimals for code in CURRENCIES) == {0: 16, 2: len(CURRENCIES) - 23, 3: 7}
    assert scales.of("ITL").decimals is scales.of(None).decimals is None
