"""Schemas that nobody here designed: each made by the shop's own migrations (see examples/). For the long run only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.fixtures.postgres import Database, create_database
from tests.support.postgres.cluster import Cluster
from tests.system.oracle.worlds import World

EXAMPLES: Final = Path(__file__).parents[3] / "examples"


def worlds() -> Mapping[str, World]:
    """By the name of their folder in examples/."""
    return {"django-oscar": _oscar()}


def make_template(cluster: Cluster, world: World, venv: Path | None) -> Database:
    """Blocks for about a minute: installs the shop (into `venv`, where it is kept) and runs its migrations."""
    made = create_database(cluster)
    script = [sys.executable, str(EXAMPLES / world.name / "make_schema.py"), made.dsn]
    subprocess.run([*script, *(["--venv", str(venv)] if venv else [])], check=True)
    return made


def _oscar() -> World:
    return World(
        "django-oscar",
        "",
        {"mapping": (EXAMPLES / "django-oscar" / "mapping.sql").read_text(encoding="utf-8")},
        values={
            "currency": ("USD", "EUR"),
            "email": ("ada@mail.example", "bo@mail.example"),
            "guest_email": ("guest@mail.example", ""),
            "order_order.status": ("Pending", "Complete", "Cancelled"),
            "new_status": ("Pending", "Cancelled"),
            "order_line.quantity": ("6", "9"),
            "order_shippingeventquantity.quantity": ("0", "1"),
            "order_paymenteventquantity.quantity": ("0", "1", "2"),
            "order_shippingeventtype.code": ("shipped", "delivered", "returned"),
            "order_paymenteventtype.code": ("refunded", "paid"),
            "category": ("Basket", "Shipping", "Deferred"),
            "txn_type": ("Debit", "Refund"),
            "iso_3166_1_a2": ("US", "DE", "FR"),
        },
        rows={f"public.{name}": count for name, count in _OSCAR_ROWS.items()},
        usual=12,
        only=frozenset(f"public.{name}" for name in _OSCAR_TABLES),
        keys=False,
    )


_OSCAR_TABLES: Final = (
    *("address_country", "auth_user", "catalogue_product", "catalogue_productimage", "django_site"),
    *("order_order", "order_line", "order_lineattribute", "order_billingaddress", "order_shippingaddress"),
    *("order_orderdiscount", "order_orderlinediscount", "order_orderstatuschange", "order_surcharge"),
    *("order_paymentevent", "order_paymenteventquantity", "order_paymenteventtype"),
    *("order_shippingevent", "order_shippingeventquantity", "order_shippingeventtype"),
    *("payment_source", "payment_sourcetype", "payment_transaction"),
)
_OSCAR_ROWS: Final = {
    "django_site": 3,
    "address_country": 3,
    "order_shippingeventtype": 3,
    "order_paymenteventtype": 2,
    "order_order": 24,
    "order_line": 50,
    "order_shippingaddress": 24,
    "order_shippingeventquantity": 30,
}
