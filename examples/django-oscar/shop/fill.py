"""Places orders with the shop's own code: baskets, vouchers, shipping, shipments, payments and refunds.

Run by make_schema.py inside the shop's virtual environment.
"""

from __future__ import annotations

import sys
import warnings
from decimal import Decimal
from random import Random

import django

django.setup()
warnings.simplefilter("ignore")

from django.contrib.auth import get_user_model  # noqa: E402
from oscar.apps.order.models import (  # noqa: E402
    PaymentEvent,
    PaymentEventQuantity,
    PaymentEventType,
    ShippingEvent,
    ShippingEventQuantity,
    ShippingEventType,
)
from oscar.apps.partner.strategy import Default  # noqa: E402
from oscar.apps.payment.models import Source, SourceType  # noqa: E402
from oscar.apps.shipping.methods import FixedPrice, Free  # noqa: E402
from oscar.test import factories  # noqa: E402

PEOPLE = (("Ada", "Brandt"), ("Kofi", "Dubois"), ("Ines", "Silva"), ("Jonas", "Park"), ("Lena", "Castillo"))


def main(orders: int) -> None:
    random = Random(5)  # noqa: S311  the same orders every time
    country = factories.CountryFactory(iso_3166_1_a2="US", iso_3166_1_a3="USA", name="United States")
    products = [
        factories.create_product(title=f"Product {n}", upc=f"UPC{n:05}", price=Decimal(5 + n), num_in_stock=10**6,
                                 partner_name="Warehouse", partner_sku=f"SKU-{n:05}")
        for n in range(1, 21)
    ]  # fmt: skip
    users = [
        get_user_model().objects.create_user(
            f"shopper{n}", email=f"shopper{n}@mail.example", first_name=first, last_name=last
        )
        for n, (first, last) in enumerate(PEOPLE, 1)
    ]
    types = {name: ShippingEventType.objects.create(name=name) for name in ("Shipped", "Delivered", "Returned")}
    refunded = PaymentEventType.objects.create(name="Refunded")
    card = SourceType.objects.create(name="Card")
    for number in range(orders):
        order = place(number, random, products, users, country)
        Source.objects.create(
            order=order,
            source_type=card,
            currency="USD",
            amount_debited=order.total_incl_tax,
            reference=f"pay-{number}",
        )
        for name in ("Shipped", "Delivered") if random.random() < 0.7 else ():
            event = ShippingEvent.objects.create(order=order, event_type=types[name], notes="")
            for line in order.lines.all():
                ShippingEventQuantity.objects.create(event=event, line=line, quantity=line.quantity)
        if random.random() < 0.1:
            line = order.lines.first()
            event = PaymentEvent.objects.create(order=order, event_type=refunded, amount=line.unit_price_incl_tax)
            PaymentEventQuantity.objects.create(event=event, line=line, quantity=1)


def place(number, random, products, users, country):  # type: ignore[no-untyped-def]  # the shop's types have none
    """One order of a registered shopper or a guest."""
    user = random.choice(users) if random.random() < 0.8 else None
    first, last = (user.first_name, user.last_name) if user else ("Guest", str(number))
    address = factories.ShippingAddressFactory(
        country=country, first_name=first, last_name=last, line1=f"{number + 1} Main Street", line2="", line3="",
        line4="Austin", state="TX", postcode="78701",
    )  # fmt: skip
    basket = factories.BasketFactory(owner=user)
    basket.strategy = Default()
    for product in random.sample(products, random.choice((1, 2, 3))):
        basket.add_product(product, random.choice((1, 1, 2)))
    method = FixedPrice(Decimal("6.50"), Decimal("6.50")) if random.random() < 0.5 else Free()
    guest = {} if user else {"guest_email": f"guest{number}@mail.example"}
    order = factories.create_order(
        number=f"1{number:05}", basket=basket, user=user, shipping_address=address, shipping_method=method, **guest
    )
    if number % 7 == 0:
        order.discounts.create(category="Basket", offer_name="Spring", amount=Decimal("2.00"))
    return order


if __name__ == "__main__":
    main(int(sys.argv[1]))
