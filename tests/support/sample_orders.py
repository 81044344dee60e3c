"""A complete, valid order document, as the mapping would return it, for tests to change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connector.contract.exact_json import dumps
from connector.model.orders import OrderKey
from connector.model.rows import Row


def document(order_id: str = "1001", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": order_id,
        "created_at": "2026-05-01T10:00:00",
        "presentment_currency": "USD",
        "shop_currency": "USD",
        "customer": {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"},
        "shipping_address": {
            "address1": "1 Main St",
            "city": "Springfield",
            "province_code": "IL",
            "zip": "62701",
            "country_code": "US",
        },
        "line_items": [
            {
                "id": f"{order_id}-1",
                "product_id": "7",
                "sku": "SKU-7",
                "title": "Lamp",
                "quantity": 2,
                "price_set": Decimal("19.90"),
            }
        ],
        "order_discounts": None,
        "shipping_lines": [],
        "fulfillments": None,
    }
    return {**made, **changes}


def row(document: Mapping[str, Any]) -> Row:
    """As the database sends it."""
    return Row(OrderKey(document["id"]), dumps(document).decode())
