"""Money in the order's two currencies (`money-set`), its short spellings, and the currencies there are.

A number, numeric text or a single `{amount, currencyCode}` stands for both amounts when the order's two currencies are
the same. Amounts are decimal strings (`custom-order-money`), never binary floats.

Most of an order is money, so a well-formed money set is read without pydantic, for speed; the models below find what is
wrong with any other.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeGuard

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo
from pydantic.alias_generators import to_camel

from connector.contract.schema.fields import Amount, Read, Reading, as_amount, complaint, is_plain

CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD
    UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905  a block of words reads better than 150 quoted ones
)
"""The active ISO 4217 codes (list one, https://www.iso.org/iso-4217-currency-codes.html) that shops use: without funds,
metals and testing codes, except XAF, XCD, XCG, XOF and XPF. BGN stays although Bulgaria took the euro in 2026: older
orders are still refunded in it."""


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


def _in_the_orders(currency: Literal["presentment", "shop"]) -> AfterValidator:
    def check(money: Money, info: ValidationInfo) -> Money:
        wanted = getattr(info.context, currency)
        if wanted is not None and money.currency_code != wanted:
            raise complaint(f"must be in the order's {currency}Currency")
        return money

    return AfterValidator(check)


class MoneyPair(Part):
    """`money-set`."""

    presentment_money: Annotated[Money, _in_the_orders("presentment")]
    shop_money: Annotated[Money, _in_the_orders("shop")]


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
    if len(value) == 2 and _well_formed(presentment, reading.presentment) and _well_formed(shop, reading.shop):
        return {
            "presentmentMoney": {"amount": presentment["amount"], "currencyCode": reading.presentment},
            "shopMoney": {"amount": shop["amount"], "currencyCode": reading.shop},
        }
    return MoneyPair.model_validate(value, context=reading).model_dump(by_alias=True)


def _well_formed(money: Any, currency: str | None) -> TypeGuard[dict[str, str]]:
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
