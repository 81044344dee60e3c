"""Redo's rules that no JSON schema shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.contract.protection import coverage
from connector.contract.rules import check, plausible_email
from tests.support.redo_orders import document, line_item, money


def broken(row: dict[str, Any]) -> list[str]:
    return [violation.path for violation in check(row)]


@pytest.mark.parametrize("address", ["a@b.co", "first.last+tag@mail.example.com", "o'brien@example.org", "x_1@a-b.io"])
def test_real_addresses_are_plausible(address: str) -> None:
    assert plausible_email(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@b",
        "@b.co",
        "a@",
        "a b@c.co",
        " a@b.co",
        "a@b..co",
        ".a@b.co",
        "a@-b.co",
        "a@b.co\n",
        "a" * 250 + "@b.co",
    ],
)
def test_other_text_is_no_address(address: str) -> None:
    assert not plausible_email(address)
    assert broken(document(customer={"email": address})) == ["customer.email"]


def fulfilled(*parts: tuple[str, Any], name: str = "F1") -> dict[str, Any]:
    return {"id": name, "lineItems": [{"id": line, "quantity": quantity} for line, quantity in parts]}


def refunded(line: str, name: str = "R1") -> dict[str, Any]:
    return {"id": name, "lineItems": [{"lineItemId": line, "quantity": 1}]}


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"lineItems": []}, ["lineItems"]),
        ({"presentmentCurrency": "usd"}, ["presentmentCurrency"]),
        ({"shopCurrency": "XYZ"}, ["shopCurrency"]),
        ({"transactions": [{"currency": "Dollar"}]}, ["transactions[0].currency"]),
        ({"lineItems": [line_item("A"), line_item("B"), line_item("A")]}, ["lineItems[2].id"]),
        ({"lineItems": [line_item("7"), line_item(7)]}, ["lineItems[1].id"]),
        ({"lineItems": [line_item("A_1")]}, ["lineItems[0].id"]),
        ({"lineItems": [line_item(quantity=-1)]}, ["lineItems[0].quantity"]),
        ({"lineItems": [line_item(returnableQuantity=3)]}, ["lineItems[0].returnableQuantity"]),
        ({"lineItems": [line_item(returnableQuantity=-1)]}, ["lineItems[0].returnableQuantity"]),
        ({"fulfillments": [fulfilled(("L1", 3))]}, ["fulfillments[0].lineItems[0].quantity"]),
        ({"fulfillments": [fulfilled(("L1", -1))]}, ["fulfillments[0].lineItems[0].quantity"]),
        (
            {"fulfillments": [fulfilled(("L1", 1), ("L1", Decimal("1.5"))), fulfilled(name="F2")]},
            ["fulfillments[0].lineItems[1].quantity"],
        ),
        (
            {"fulfillments": [fulfilled(("L1", 2)), fulfilled(("L1", 1), name="F2")]},
            ["fulfillments[1].lineItems[0].quantity"],
        ),
        ({"fulfillments": [fulfilled(("L9", 1))]}, ["fulfillments[0].lineItems[0].id"]),
        ({"fulfillments": [fulfilled(), fulfilled()]}, ["fulfillments[1].id"]),
        ({"refunds": [refunded("L9")]}, ["refunds[0].lineItems[0].lineItemId"]),
        ({"refunds": [refunded("L1"), refunded("L1")]}, ["refunds[1].id"]),
        (
            {"refunds": [{"id": "R", "shippingRefunds": [{"amountSet": money("-1")}]}]},
            ["refunds[0].shippingRefunds[0].amountSet"],
        ),
    ],
)
def test_a_broken_rule_is_named_by_path(changes: dict[str, Any], paths: list[str]) -> None:
    assert broken(document(**changes)) == paths


@pytest.mark.parametrize(
    ("words", "bought"),
    [
        ("returns", {"returns"}),
        ("return", {"returns"}),
        ("RETURNS", {"returns"}),
        ("Package_Protection", {"package-protection"}),
        ("package-protection", {"package-protection"}),
        ("both", {"returns", "package-protection"}),
        ("final sale", {"final-sale"}),
        ("returns, package protection", {"returns", "package-protection"}),
        ("Final-Sale,return", {"final-sale", "returns"}),
        ("premium", None),
        ("returns,premium", None),
        ("", None),
    ],
)
def test_coverage_is_read_whatever_its_spelling(words: str, bought: set[str] | None) -> None:
    assert coverage(words) == bought


def protected(**changes: Any) -> dict[str, Any]:
    marks: dict[str, Any] = {
        "vendor": "re:do",
        "sku": "x-redo",
        "tags": ["both"],
        "properties": [{"name": "_redo_type", "value": "Both"}],
    }
    return line_item("X", **(marks | changes))


def test_a_complete_protection_line_is_fine_whatever_words_it_uses() -> None:
    line = protected(tags=["return", "package_protection"])
    assert broken(document(lineItems=[line_item(), line])) == []


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        (protected(vendor="Redo"), ["vendor"]),
        (protected(vendor=None), ["vendor"]),
        (protected(vendor="RE:DO"), ["vendor"]),
        (protected(sku="redo"), ["sku"]),
        (protected(tags=[]), ["tags"]),
        (protected(tags=None), ["tags"]),
        (protected(tags=["returns"]), ["tags"]),
        (protected(tags=["premium"]), ["tags[0]"]),
        (protected(properties=[]), ["properties"]),
        (protected(properties=[{"name": "_redo_type", "value": "all"}]), ["properties[0].value"]),
        (protected(properties=[{"name": "_redo_type", "value": "both"}] * 2), ["properties"]),
        (protected(vendor="x", sku="y", tags=[]), ["vendor", "sku", "tags"]),
    ],
)
def test_a_half_marked_protection_line_is_refused(line: dict[str, Any], paths: list[str]) -> None:
    assert broken(document(lineItems=[line_item(), line])) == [f"lineItems[1].{path}" for path in paths]


def test_a_second_protection_line_is_refused() -> None:
    assert broken(document(lineItems=[protected(), protected(id="Y")])) == ["lineItems[1]"]


def test_ordinary_lines_may_carry_the_words_of_coverage_as_tags() -> None:
    assert broken(document(lineItems=[line_item(tags=["both", "returns"], vendor="Acme")])) == []
