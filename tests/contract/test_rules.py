"""Redo's rules that no JSON schema shows: what breaks them, and what becomes of the order."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract.order_builder import RedoContract
from connector.contract.protection import coverage
from connector.contract.rules import email
from connector.contract.rules.countries import COUNTRIES
from connector.contract.rules.rule_book import RULES, WARNINGS, Mode, RuleBook
from connector.model.errors import ConfigurationError
from connector.sandbox.rules import errors_of
from tests.support.redo_orders import document, documents, full_document, line_item, payload_of
from tests.support.rule_breaking import BREAKS, Row, broken, made, refused, warned

EVENTS = {"line_item_id_changed", "line_item_id_reused", "refunds_shrunk"}
"""Rules that a version of an order alone can't break."""


def each_break(*modes: Mode) -> list[Any]:
    """Every way in which a rule that may be in all these modes is broken."""
    return [
        pytest.param(name, change, path, id=f"{name}-{number}")
        for name, ways in BREAKS.items()
        if {*modes} <= {*RULES[name].modes}
        for number, (change, path) in enumerate(ways)
    ]


def test_every_rule_is_tried() -> None:
    assert {*RULES} == {*BREAKS, *EVENTS, "schema"}


@pytest.mark.parametrize(("rule", "change", "path"), each_break())
def test_a_broken_rule_does_what_is_its_default(rule: str, change: Callable[[Row], None], path: str) -> None:
    row = broken(change)
    if RULES[rule].default == "refuse":
        assert path in refused(row)
    else:
        assert [*warned(row)] == [rule]
        assert warned(row)[rule].startswith(f"{path}: ")


@pytest.mark.parametrize(("rule", "change", "path"), each_break("refuse"))
def test_a_rule_that_is_to_refuse_refuses_by_path(rule: str, change: Callable[[Row], None], path: str) -> None:
    assert path in refused(broken(change), {rule: "refuse"})


@pytest.mark.parametrize(("rule", "change", "path"), each_break("warn", "off"))
def test_the_order_is_the_same_whether_its_rule_warns_or_is_off(
    rule: str, change: Callable[[Row], None], path: str
) -> None:
    told, silent = made(broken(change), {rule: "warn"}), made(broken(change), {rule: "off"})
    assert [one.kind for one in told.warnings] == [rule]
    assert silent.warnings == ()
    assert (told.body, told.fingerprint) == (silent.body, silent.fingerprint)


@pytest.mark.parametrize(("rule", "change", "path"), each_break("warn"))
def test_the_sandbox_takes_what_is_pushed_with_a_warning(rule: str, change: Callable[[Row], None], path: str) -> None:
    if RULES[rule].default == "warn":
        assert errors_of(json.loads(made(broken(change)).body)) is None


@pytest.mark.parametrize(("rule", "change", "path"), each_break("warn"))
def test_what_was_mended_breaks_its_rule_no_more(rule: str, change: Callable[[Row], None], path: str) -> None:
    if RULES[rule].pushed:
        body = made(broken(change)).body
        again = made(json.loads(body, parse_float=Decimal))
        assert again.warnings == ()
        assert again.body == body


@given(row=documents(), rules=st.lists(st.sampled_from(each_break("warn")), max_size=6), data=st.data())
def test_any_order_that_breaks_any_rules_is_taken_by_the_sandbox_and_stays_as_it_is_made(
    row: Row, rules: list[Any], data: st.DataObject
) -> None:
    wanted = full_document() | {"lineItems": full_document()["lineItems"][:1] + row["lineItems"][1:]}
    for name, change, _ in (rule.values for rule in rules):
        if RULES[name].default == "warn" and not (name == "negative_quantity" and change is BREAKS[name][0][0]):
            change(wanted)
    order = made(wanted)
    assert errors_of(json.loads(order.body)) is None
    again = made(json.loads(order.body, parse_float=Decimal))
    assert again.body == order.body
    assert not {one.kind for one in again.warnings} & {name for name in RULES if RULES[name].pushed}


def test_warnings_name_the_first_place_and_count_the_others_and_hold_no_value() -> None:
    lines = [line_item(f"L{number}", priceSet=Decimal("74.7054321")) for number in range(3)]
    message = warned(document(lineItems=lines))["amount_decimals"]
    assert message == (
        "lineItems[0].priceSet: has digits beyond its currency's decimals; it is pushed rounded half-even"
        " (and 2 more places)"
    )


def test_a_place_is_named_as_the_row_has_it_whatever_is_left_out() -> None:
    gone = BREAKS["refunded_line_gone"][0][0]
    row = broken(gone)
    row["refunds"][0]["lineItems"].reverse()
    row["refunds"][0]["lineItems"][1]["subtotalSet"] = Decimal("1.005")
    told = warned(row)
    assert told["refunded_line_gone"].startswith("refunds[0].lineItems[0].lineItemId: ")
    assert told["amount_decimals"].startswith("refunds[0].lineItems[1].subtotalSet: ")


@pytest.mark.parametrize("huge", [Decimal("9" * 300 + ".555"), Decimal("9E+999999"), Decimal("9E-999999"), 10**400])
def test_numbers_of_too_many_digits_are_violations_beside_all_others(huge: Any) -> None:
    row = full_document()
    row["transactions"][0]["amount"] = huge
    row["lineItems"][0] |= {"quantity": huge, "returnableQuantity": huge}
    row["fulfillments"][0]["lineItems"][0]["quantity"] = huge
    row["customer"]["email"] = "nobody"
    assert {*refused(row)} == {
        "transactions[0].amount",
        "lineItems[0].quantity",
        "lineItems[0].returnableQuantity",
        "fulfillments[0].lineItems[0].quantity",
        "customer.email",
    }


def test_a_refusal_names_the_rule_where_the_settings_can_say_otherwise() -> None:
    with pytest.raises(Exception, match=r"must not be negative \(rule negative_amount\)"):
        made(document(lineItems=[line_item(priceSet=-1)]), {"negative_amount": "refuse"})
    with pytest.raises(Exception, match=r"unique within the order: returns refer to line items by id$"):
        made(document(lineItems=[line_item(), line_item()]))


def test_what_is_left_out_and_clamped_is_so_in_the_payload() -> None:
    payload = payload_of(
        document(
            lineItems=[
                line_item(returnableQuantity=9, properties=[{"name": "a", "value": None}, {"name": "b", "value": 1}])
            ],
            fulfillments=[{"id": "F", "lineItems": [{"id": "gone", "quantity": 1}, {"id": "L1", "quantity": 5}]}],
            metafields=[None],
        )
    )
    assert payload["lineItems"][0]["returnableQuantity"] == 2
    assert payload["lineItems"][0]["properties"] == [{"name": "b", "value": "1"}]
    assert payload["fulfillments"][0]["lineItems"] == [{"id": "L1", "quantity": 5}]
    assert payload["metafields"] == []


def test_the_given_row_stays_as_it_is() -> None:
    row = broken(BREAKS["null_entry"][0][0])
    row["fulfillments"][0]["lineItems"].append({"id": "gone", "quantity": 1})
    before = json.dumps(row, default=str)
    made(row)
    assert json.dumps(row, default=str) == before


def test_negative_taxes_and_transactions_are_nothing_unusual() -> None:
    row = full_document()
    row["lineItems"][0]["taxLines"][0]["priceSet"] = "-0.80"
    row["transactions"][0]["amount"] = -5
    assert warned(row) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {
            "fulfillments": [
                {"id": "F", "lineItems": [{"id": "L1", "quantity": 1}, {"id": "L1", "quantity": Decimal("1.5")}]}
            ]
        },
        {
            "fulfillments": [
                {"id": "F1", "lineItems": [{"id": "L1", "quantity": 2}]},
                {"id": "F2", "lineItems": [{"id": "L1", "quantity": 1}]},
            ]
        },
    ],
)  # fmt: skip
def test_fulfilled_quantities_are_summed_over_the_whole_order(changes: dict[str, Any]) -> None:
    assert [*warned(document(**changes))] == ["over_fulfilled"]


@pytest.mark.parametrize("address", ["a@b.co", "first.last+tag@mail.example.com", "o'brien@example.org", "x_1@a-b.io"])
def test_real_addresses_are_usual(address: str) -> None:
    assert email.usual(address)
    assert email.valid(address)


@pytest.mark.parametrize(
    "address", ["a@b", "root@localhost", '"a b"@c.co', '"a\\"b"@c.co', "a@[127.0.0.1]", "a@[IPv6:::1]"]
)
def test_what_the_schema_takes_beside_them_is_unusual(address: str) -> None:
    assert not email.usual(address)
    assert email.valid(address)
    assert [*warned(document(customer=document()["customer"] | {"email": address}))] == ["email_unusual"]


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.co", "a@", "a b@c.co", " a@b.co", "a@b..co", ".a@b.co", "a@-b.co", "a@b.co\n", "a" * 250 + "@b.co",
     "a" * 65 + "@b.co", "a@[300.1.1.1]", "a@[fe80::1%eth0]", "a@b@c.co", "mü@b.co", '"a\n"@b.co'],
)  # fmt: skip
def test_other_text_is_no_address(address: str) -> None:
    assert refused(document(customer=document()["customer"] | {"email": address})) == ["customer.email"]


@given(
    st.text(st.sampled_from('ab1.-_+"\\ [](),:;<>@é\n'), max_size=8),
    st.text(st.sampled_from("ab1.-_[]:IPv6"), max_size=9),
)
def test_no_address_is_sent_that_the_schemas_format_refuses(local: str, domain: str) -> None:
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    schema = {"type": "string", "format": "email"}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    address = f"{local}@{domain}"
    assert not email.usual(address) or email.valid(address)
    assert not email.valid(address) or validator.is_valid(address)


def test_the_countries_are_those_of_the_time_zone_database() -> None:
    lines = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8").splitlines()
    assert {line[:2] for line in lines if not line.startswith("#")} | {"XK"} == COUNTRIES


def test_settings_that_name_no_rule_or_what_a_rule_cannot_be_are_told_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        RuleBook({"empty_skus": "off", "duplicate_id": "off", "refunds_shrunk": "refuse", "zzz": "warn"})
    assert [(each.where, each.what, each.hint) for each in refusal.value.problems] == [
        ("contract.rules.empty_skus", "is not a rule", "did you mean empty_sku?"),
        ("contract.rules.duplicate_id", "can't be off", "leave it out, or write refuse: Redo refuses what breaks it"),
        (
            "contract.rules.refunds_shrunk",
            "can't be refuse",
            "leave it out, or write warn or off: it is known only once the order is on its way",
        ),
        ("contract.rules.zzz", "is not a rule", "docs/rules.md lists them all"),
    ]


def test_terms_are_the_same_for_settings_that_say_the_same() -> None:
    assert RuleBook({}).terms == RuleBook({"empty_sku": "warn"}).terms
    texts = {RuleBook({}).terms, RuleBook({"empty_sku": "off"}).terms, RuleBook({}, keep_digits=True).terms}
    assert len(texts) == 3


def test_what_is_only_known_beside_the_accepted_order_can_be_turned_off() -> None:
    assert {*WARNINGS} >= EVENTS
    row = full_document()
    before = made(row).traits
    after = made(row | {"refunds": []}).traits
    assert [one.kind for one in RedoContract().suspicions(before, after)] == ["refunds_shrunk"]
    silent = RedoContract(rules=RuleBook({"refunds_shrunk": "off"}))
    assert silent.suspicions(before, after) == ()


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
    assert refused(document(lineItems=[line_item(), line])) == []


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
        (protected(properties=[{"name": "_redo_type", "value": None}]), ["properties"]),
        (protected(properties=[{"name": "_redo_type", "value": "all"}]), ["properties[0].value"]),
        (protected(properties=[{"name": "_redo_type", "value": "both"}] * 2), ["properties"]),
        (protected(vendor="x", sku="y", tags=[]), ["vendor", "sku", "tags"]),
    ],
)
def test_a_half_marked_protection_line_is_refused(line: dict[str, Any], paths: list[str]) -> None:
    assert refused(document(lineItems=[line_item(), line])) == [f"lineItems[1].{path}" for path in paths]


def test_a_second_protection_line_is_refused() -> None:
    assert refused(document(lineItems=[protected(), protected(id="Y")])) == ["lineItems[1]"]


def test_ordinary_lines_may_carry_the_words_of_coverage_as_tags() -> None:
    assert refused(document(lineItems=[line_item(tags=["both", "returns"], vendor="Acme")])) == []
