"""What the demo's shop sells, to whom, and what they order: plausible rows for the OMS's tables.

Pure: no database, no clock; the same `Random` gives the same rows. Every order satisfies Redo's rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, TypeAlias

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = dict[str, list[Row]]
"""Rows by table, in the order of that table's COLUMNS."""

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "oms.customer": ("cust_id", "email_addr", "first_nm", "last_nm", "phone_no", "vip_flg"),
    "oms.cust_address": ("addr_id", "cust_id", "street_1", "street_2", "city", "state_cd", "zip_cd"),
    "oms.product": ("product_id", "sku", "prod_nm", "vendor_cd", "img_path", "wt_kg", "list_price", "final_sale_flg"),
    "public.wh_stock": ("product_id", "on_hand"),
    "oms.promo": ("promo_cd", "promo_desc"),
    "oms.carrier": ("carrier_cd", "carrier_nm", "track_url"),
    "oms.order_header": (
        *("ord_id", "ord_no", "cust_id", "ship_addr_id", "bill_addr_id", "currency", "chan_cd", "status_cd"),
        *("placed_ts", "chg_ts", "ship_meth_cd", "ship_amt", "ship_tax_amt", "cxl_ts", "cxl_rsn_cd", "line_ctr"),
        "tag_list",
    ),
    "oms.order_item": (
        *("ord_id", "line_no", "product_id", "qty", "unit_price", "disc_amt", "disc_cd", "tax_amt", "tax_rate"),
        *("cover_cd", "pick_bin"),
    ),
    "oms.order_promo": ("ord_id", "promo_cd", "amt"),
    "oms.payment": ("pay_id", "ord_id", "gateway_cd", "amt", "pay_ts", "card_last4"),
    "oms.shipment": ("shipment_id", "ord_id", "carrier_cd", "track_no", "ship_ts", "dlv_ts", "wave_no"),
    "oms.shipment_item": ("shipment_id", "ord_id", "line_no", "qty"),
    "oms.refund": ("refund_id", "ord_id", "refund_ts", "memo", "ship_amt"),
    "oms.refund_item": ("refund_id", "ord_id", "line_no", "qty", "amt", "tax_amt"),
}
"""The columns that we fill, parents before children."""

OPENED: Final = datetime(2026, 1, 5, 9, 0)  # without a zone, as in the OMS
"""The shop's calendar starts here, whatever the clock says: seeding twice gives the same rows."""

COVERAGE: Final = 1
"""The product that stands for Redo coverage."""

PRODUCTS: Final = 200
CARRIERS: Final = ("UPS", "FDX", "USPS")
CANCEL_REASONS: Final = ("CU", "FR", "IN", "DC", "ST", "OT")

_TAX: Final = Decimal("0.0725")
_MATERIALS: Final = ("Linen", "Wool", "Cotton", "Canvas", "Denim", "Cork", "Silk", "Felt")
_THINGS: Final = ("shirt", "jacket", "scarf", "tote", "trousers", "slippers", "apron", "cap", "blanket", "belt")
_FIRST: Final = ("Ada", "Béla", "Carmen", "Dmitri", "Edith", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kofi", "Lena")
_LAST: Final = ("Abbott", "Brandt", "Castillo", "Dubois", "Eriksen", "Fischer", "Nakamura", "O'Brien", "Park", "Silva")
_CITIES: Final = (
    ("Salt Lake City", "UT", "84101"),
    ("Portland", "OR", "97201"),
    ("Austin", "TX", "78701"),
    ("Ithaca", "NY", "14850"),
    ("Savannah", "GA", "31401"),
)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


class ShopRows:
    """Makes rows. All ids are the caller's."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._prices: dict[int, Decimal] = {}

    def catalogue(self) -> Rows:
        """Products, stock, promos and carriers: the same for every shop, prices too."""
        fixed = Random(2009)  # noqa: S311
        products: list[Row] = [(COVERAGE, "x-redo", "Redo coverage", "re:do", None, None, Decimal("3.98"), "Y")]
        for number in range(COVERAGE + 1, PRODUCTS + 1):
            name = f"{fixed.choice(_MATERIALS)} {fixed.choice(_THINGS)} {number}"
            price = Decimal(fixed.randrange(9, 190)) + Decimal("0.95")
            weight = Decimal(fixed.randrange(50, 2500)) / 1000 if number % 17 else None
            final_sale = "N" if number % 23 else "Y"
            products.append((number, f"SKU-{number:05}", name, "Hearth", f"{number}.jpg", weight, price, final_sale))
        self._prices = {row[0]: row[6] for row in products}
        return {
            "oms.product": products,
            "public.wh_stock": [(row[0], fixed.randrange(0, 500)) for row in products],
            "oms.promo": [("WELCOME5", "Five off the first order"), ("SPRING10", "Ten off in spring")],
            "oms.carrier": [(code, code, f"https://track.example/{code.lower()}/") for code in CARRIERS],
        }

    def customer(self, cust_id: int, addr_id: int) -> Rows:
        """A person with one address."""
        random = self.random
        first, last = random.choice(_FIRST), random.choice(_LAST)
        phone = f"+1801555{random.randrange(10000):04}" if random.random() < 0.6 else None
        vip = "Y" if random.random() < 0.05 else "N"
        return {
            "oms.customer": [(cust_id, self.email(cust_id), first, last, phone, vip)],
            "oms.cust_address": [(addr_id, cust_id, *self.address())],
        }

    def email(self, cust_id: int) -> str:
        return f"shopper{cust_id}.{self.random.randrange(1000)}@mail.example"

    def address(self) -> Row:
        """street_1 to zip_cd."""
        street = f"{self.random.randrange(1, 2000)} {self.random.choice(_LAST)} Street"
        unit = f"Unit {self.random.randrange(1, 40)}" if self.random.random() < 0.2 else None
        return (street, unit, *self.random.choice(_CITIES))

    def order(self, ord_id: int, cust_id: int, addr_id: int, pay_id: int, placed: datetime) -> Rows:
        """A new order of one to four products, one in three with Redo coverage, paid at once."""
        random = self.random
        lines = [self.line(ord_id, number + 1) for number in range(random.choices((1, 2, 3, 4), (45, 30, 15, 10))[0])]
        if random.random() < 0.33:
            lines.append(self.coverage(ord_id, len(lines) + 1))
        promo = random.choice(("WELCOME5", "SPRING10")) if random.random() < 0.15 else None
        promo_amount = Decimal("5.00") if promo else Decimal("0.00")
        method, shipping = random.choice((("GR", Decimal("6.50")), ("GR", Decimal("0.00")), ("EX", Decimal("18.00"))))
        shipping_tax = cents(shipping * _TAX)
        total = sum((row[3] * row[4] - row[5] + row[7] for row in lines), shipping + shipping_tax - promo_amount)
        billing = addr_id if random.random() < 0.1 else None
        channel = random.choices(("WEB", "PHONE", "STORE"), (80, 12, 8))[0]
        tags = random.choices((None, "gift", "gift,rush", "wholesale"), (80, 10, 5, 5))[0]
        rest = (method, shipping, shipping_tax, None, None, len(lines), tags)
        currency = random.choices(("USD", "CAD", "EUR"), (90, 6, 4))[0]
        header = (ord_id, f"H{ord_id:08}", cust_id, addr_id, billing, currency, channel, "N", placed, placed, *rest)
        gateway = random.choice(("authorize_net", "stripe", "paypal"))
        card = None if gateway == "paypal" else f"{random.randrange(10000):04}"
        return {
            "oms.order_header": [header],
            "oms.order_item": lines,
            "oms.order_promo": [(ord_id, promo, promo_amount)] if promo else [],
            "oms.payment": [(pay_id, ord_id, gateway, total, placed + timedelta(seconds=40), card)],
        }

    def line(self, ord_id: int, line_no: int) -> Row:
        """Some units of one product, now and then with a discount."""
        random = self.random
        product = random.randrange(COVERAGE + 1, PRODUCTS + 1)
        quantity = random.choices((1, 2, 3, 6), (70, 18, 8, 4))[0]
        price = self._prices[product]
        discount, code = Decimal("0.00"), None
        if random.random() < 0.12:
            discount, code = cents(price * quantity / 10), "LOYAL10"
        tax = cents((price * quantity - discount) * _TAX)
        place = f"{random.choice('ABCDEF')}-{random.randrange(100):02}"
        return (ord_id, line_no, product, quantity, price, discount, code, tax, _TAX, None, place)

    def coverage(self, ord_id: int, line_no: int) -> Row:
        """The line that says which Redo coverage was bought, at its full price."""
        price, zero = self._prices[COVERAGE], Decimal("0.00")
        return (ord_id, line_no, COVERAGE, 1, price, zero, None, zero, None, self.random.choice("RPB"), None)

    def track_no(self) -> str:
        return f"1Z{self.random.randrange(10**12):012}"
