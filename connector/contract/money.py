"""Money in two currencies, and its short spellings.

A number, numeric text or a lone `{amount, currencyCode}` stands for both amounts when the order's two currencies are
the same. Amounts are decimal strings (`custom-order-money`), never binary floats.

Most of an order is money, so what is well-formed is read by hand; the models below say what is wrong with the rest.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeAlias, TypeGuard

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo
from pydantic.alias_generators import to_camel

from connector.contract.fields import Amount, Read, Reading, as_amount, complaint, is_plain, reading_of


class Part(BaseModel):
    """A part of the order: either spelling of a field's name, and none that Redo doesn't know."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


class Money(Part):
    """`custom-order-money`."""

    amount: Amount
    currency_code: str


def _in_presentment_currency(money: Money, info: ValidationInfo) -> Money:
    reading = reading_of(info)
    if reading.presentment is not None and money.currency_code != reading.presentment:
        raise complaint("must be in the order's presentmentCurrency")
    return money


def _in_shop_currency(money: Money, info: ValidationInfo) -> Money:
    reading = reading_of(info)
    if reading.shop is not None and money.currency_code != reading.shop:
        raise complaint("must be in the order's shopCurrency")
    return money


class MoneyPair(Part):
    """`money-set`."""

    presentment_money: Annotated[Money, AfterValidator(_in_presentment_currency)]
    shop_money: Annotated[Money, AfterValidator(_in_shop_currency)]


def _money_set(value: Any, reading: Reading) -> dict[str, Any]:
    """The wire form of any spelling. Raises the complaint, or the models' ValidationError with the paths inside."""
    if type(value) is not dict:
        if type(value) not in (int, Decimal, str):
            raise complaint("must be an amount, or an object with presentmentMoney and shopMoney")
        return _both(as_amount(value), reading)
    if "amount" in value:
        money = Money.model_validate(value, context=reading)
        pair = _both(money.amount, reading)
        if money.currency_code != reading.shop:
            raise complaint("must be in the order's currency")
        return pair
    presentment = value.get("presentmentMoney") or value.get("presentment_money")
    shop = value.get("shopMoney") or value.get("shop_money")
    if len(value) == 2 and _fine(presentment, reading.presentment) and _fine(shop, reading.shop):
        return {
            "presentmentMoney": {"amount": presentment["amount"], "currencyCode": reading.presentment},
            "shopMoney": {"amount": shop["amount"], "currencyCode": reading.shop},
        }
    return MoneyPair.model_validate(value, context=reading).model_dump(by_alias=True)


def _fine(money: Any, currency: str | None) -> TypeGuard[dict[str, str]]:
    if type(money) is not dict or len(money) != 2 or currency is None:
        return False
    amount = money.get("amount")
    code = money.get("currencyCode") or money.get("currency_code")
    return type(amount) is str and code == currency and is_plain(amount)


def _both(amount: str, reading: Reading) -> dict[str, Any]:
    if reading.presentment is None or reading.shop is None:
        raise complaint("is in no known currency: give the order's presentmentCurrency and shopCurrency")
    if reading.presentment != reading.shop:
        raise complaint(
            "is one amount, but the order has two currencies: give both as "
            "{presentmentMoney: {amount, currencyCode}, shopMoney: {amount, currencyCode}}"
        )
    return {
        "presentmentMoney": {"amount": amount, "currencyCode": reading.presentment},
        "shopMoney": {"amount": amount, "currencyCode": reading.shop},
    }


MoneySet: TypeAlias = Annotated[dict[str, Any], Read(_money_set, with_order=True, parts=MoneyPair)]
"""A money set in its wire form; MoneyPair names its fields."""
