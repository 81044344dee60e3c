"""Money in the order's two currencies (`money-set`), and its short spellings.

A number, numeric text or a single `{amount, currencyCode}` stands for both amounts when the order's two currencies are
the same. Amounts are decimal strings (`custom-order-money`), never binary floats. Zeros beyond a currency's decimals
are cut; other digits beyond them are rounded, or kept where the settings say so, and noted; so are negative amounts.

Most of an order is money, so a well-formed money set is read without pydantic, for speed; the models below find what is
wrong with any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, ValidationInfo

from connector.contract.schema.currencies import Scale
from connector.contract.schema.fields import LONGEST, Amount, Info, Read, Reading, as_amount, complaint
from connector.contract.schema.notes import About, Note
from connector.contract.schema.part import Part


class Money(Part):
    """`custom-order-money`."""

    amount: Amount
    currency_code: str


def _in_the_orders(currency: Literal["presentment", "shop"]) -> AfterValidator:
    def check(money: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        wanted = getattr(info.context, currency)
        if wanted is not None and money["currencyCode"] != wanted:
            raise complaint(f"must be in the order's {currency}Currency")
        return money

    return AfterValidator(check)


class MoneyPair(Part):
    """`money-set`."""

    presentment_money: Annotated[Money, _in_the_orders("presentment")]
    shop_money: Annotated[Money, _in_the_orders("shop")]


def _money_set(value: Any, info: Info) -> dict[str, Any]:
    """The wire form of any spelling. Raises the complaint, or the models' ValidationError with the paths inside."""
    reading = info.context
    if type(value) is not dict:
        if type(value) not in (int, Decimal, str):
            raise complaint("must be an amount, or an object with presentmentMoney and shopMoney")
        amount, scale = str(value), reading.shop_scale
        # What is usual for a Decimal is seen in a third of the time that the expression takes.
        usual = type(value) is Decimal and amount[scale.point] == "." and amount[0] != "-" and len(amount) < LONGEST
        if usual:
            return _both(amount, reading)
        if plain := scale.plain(amount):
            return _both(plain[1] or amount, reading)
        return _fitted(_both(as_amount(value), reading), reading)
    if "amount" in value:
        money = Money.read(value, reading)
        pair = _fitted(_both(money["amount"], reading), reading)
        if money["currencyCode"] != reading.shop:
            raise complaint("must be in the order's currency")
        return pair
    presentment = value.get("presentmentMoney") or value.get("presentment_money")
    shop = value.get("shopMoney") or value.get("shop_money")
    if len(value) == 2 and (one := _plain(presentment, reading.presentment, reading.presentment_scale)):
        if shop == presentment and reading.shop == reading.presentment:
            return _both(one, reading)
        if other := _plain(shop, reading.shop, reading.shop_scale):
            return {
                "presentmentMoney": {"amount": one, "currencyCode": reading.presentment},
                "shopMoney": {"amount": other, "currencyCode": reading.shop},
            }
    return _fitted(MoneyPair.read(value, reading), reading)


def _plain(money: Any, currency: str | None, scale: Scale) -> str | None:
    """The amount of well-formed money, as it is written; None for any other."""
    if type(money) is not dict or len(money) != 2 or currency is None:
        return None
    amount = money.get("amount")
    code = money.get("currencyCode") or money.get("currency_code")
    if type(amount) is not str or code != currency or (found := scale.plain(amount)) is None:
        return None
    return found[1] or amount


def _both(amount: str, reading: Reading) -> dict[str, Any]:
    if reading.presentment is None or reading.shop is None:
        raise complaint("is in no known currency: give the order's presentmentCurrency and shopCurrency")
    if reading.presentment != reading.shop:
        raise complaint(
            "is one amount, but the order has two currencies: give both as "
            "{presentmentMoney: {amount, currencyCode}, shopMoney: {amount, currencyCode}}"
        )
    money = {"amount": amount, "currencyCode": reading.presentment}
    return {"presentmentMoney": money, "shopMoney": money}


def _fitted(pair: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """With amounts as their currencies are written, and a note of what is unusual about them."""
    presentment, shop = pair["presentmentMoney"], pair["shopMoney"]
    about = {*_fit(presentment, reading.presentment_scale)}
    if shop is not presentment:
        about |= {*_fit(shop, reading.shop_scale)}
    reading.notes += [Note(one, pair) for one in sorted(about)]
    return pair


def _fit(money: dict[str, str], scale: Scale) -> Iterator[About]:
    money["amount"], lost = scale.text(money["amount"])
    if lost:
        yield "decimals"
    if money["amount"].startswith("-") and Decimal(money["amount"]):
        yield "negative"


MoneySet: TypeAlias = Annotated[dict[str, Any], Read(_money_set, with_info=True, parts=MoneyPair)]
"""A money set in its wire form; MoneyPair names its fields."""
