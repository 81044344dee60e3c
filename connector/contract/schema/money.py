"""Money in the order's two currencies (`money-set`), its short spellings, and the currencies there are.

A number, numeric text or a single `{amount, currencyCode}` stands for both amounts when the order's two currencies are
the same. Amounts are decimal strings (`custom-order-money`), never binary floats.

Most of an order is money, so a well-formed money set is read without pydantic, for speed; the models below find what is
wrong with any other.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeGuard

from pydantic import AfterValidator, ValidationInfo

from connector.contract.schema.fields import Amount, Info, Read, Reading, as_amount, complaint, is_plain
from connector.contract.schema.part import Part

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
        return _both(as_amount(value), reading)
    if "amount" in value:
        money = Money.read(value, reading)
        pair = _both(money["amount"], reading)
        if money["currencyCode"] != reading.shop:
            raise complaint("must be in the order's currency")
        return pair
    presentment = value.get("presentmentMoney") or value.get("presentment_money")
    shop = value.get("shopMoney") or value.get("shop_money")
    if len(value) == 2 and _well_formed(presentment, reading.presentment):
        if shop == presentment and reading.shop == reading.presentment:
            return _both(presentment["amount"], reading)
        if _well_formed(shop, reading.shop):
            return {
                "presentmentMoney": {"amount": presentment["amount"], "currencyCode": reading.presentment},
                "shopMoney": {"amount": shop["amount"], "currencyCode": reading.shop},
            }
    return MoneyPair.read(value, reading)


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
    money = {"amount": amount, "currencyCode": reading.presentment}
    return {"presentmentMoney": money, "shopMoney": money}


MoneySet: TypeAlias = Annotated[dict[str, Any], Read(_money_set, with_info=True, parts=MoneyPair)]
"""A money set in its wire form; MoneyPair names its fields."""
