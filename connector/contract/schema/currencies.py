"""The currencies there are (ISO 4217), and how an amount of each is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Final

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
"""The active codes (list one, https://www.iso.org/iso-4217-currency-codes.html) that shops use: without funds,
metals and testing codes, except XAF, XCD, XCG, XOF and XPF. BGN stays although Bulgaria took the euro in 2026: older
orders are still refunded in it."""

_DECIMALS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),  # noqa: SIM905
    **dict.fromkeys("CLF UYW".split(), 4),  # noqa: SIM905
}
"""ISO 4217's minor units where there aren't two. CLF and UYW are units of account, and on no list of active ones."""

_EXACT: Final = Context(prec=200, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Scale:
    """How amounts of one currency are written. `decimals` is None where that isn't known: every digit is kept then.
    `keep`: digits beyond them are kept, too, and only zeros go. `plain` matches what isn't negative and is written so
    already; or but for zeros at its end, then its first group is what is written."""

    decimals: int | None
    keep: bool
    plain: Callable[[str], re.Match[str] | None]
    point: slice
    """Where the point is in an amount with two or three decimals, if that are the currency's. `1.0E-7` has one there
    only for four."""

    def text(self, amount: str) -> tuple[str, bool]:
        """An amount in plain notation as it is sent, and whether it had digits beyond the currency's decimals."""
        whole, _, fraction = amount.partition(".")
        if self.decimals is None or len(fraction) <= self.decimals:
            return amount, False
        if not fraction[self.decimals :].strip("0"):
            return f"{whole}.{fraction[: self.decimals]}" if self.decimals else whole, False
        if self.keep:
            return amount.rstrip("0"), True
        return format(self._rounded(Decimal(amount)), "f"), True

    def number(self, amount: int | Decimal) -> tuple[int | Decimal, bool]:
        """The same of a number."""
        if type(amount) is int or self.decimals is None:
            return amount, False
        given = format(amount, "f")
        text, lost = self.text(given)
        return amount if text is given else Decimal(text), lost

    def _rounded(self, amount: Decimal) -> Decimal:
        """Without a sign where nothing is left of it."""
        rounded = amount.quantize(Decimal(1).scaleb(-(self.decimals or 0)), context=_EXACT)
        return rounded or abs(rounded)


@cache
def _scale(decimals: int | None, *, keep: bool) -> Scale:
    whole = r"(?:0|[1-9][0-9]{0,17})"
    if decimals is None:
        plain = rf"({whole}(?:\.[0-9]{{1,40}})?)"
    elif decimals:
        plain = rf"{whole}(?:\.[0-9]{{1,{decimals}}})?|({whole}\.[0-9]{{{decimals}}})0{{1,30}}"
    else:
        plain = rf"{whole}|({whole})\.0{{1,30}}"
    point = slice(-decimals - 1, -decimals) if decimals in (2, 3) else slice(0)
    return Scale(decimals, keep, re.compile(plain).fullmatch, point)


class Scales:
    """Of each currency. `keep`: as in Scale."""

    def __init__(self, *, keep: bool) -> None:
        codes = CURRENCIES | _DECIMALS.keys()
        self._known: dict[str | None, Scale] = {code: _scale(_DECIMALS.get(code, 2), keep=keep) for code in codes}
        self._unknown = _scale(None, keep=keep)

    def of(self, currency: str | None) -> Scale:
        """Of a currency that ISO 4217 doesn't list as active nothing is known."""
        return self._known.get(currency, self._unknown)
