"""A stored order as Redo's read API shows it (`orders-api-get-order-response`), as far as its fields map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def shown(order: Json) -> dict[str, Any]:
    """The read API's form of a pushed order; amounts are numbers in the presentment currency."""
    lines = {line["id"]: line for line in order["lineItems"]}
    return {
        "orderId": order["id"],
        "createdAt": order["createdAt"],
        "lineItems": [_line(line) for line in order["lineItems"]],
        "customer": _customer(order["customer"]),
        "shipping": _shipping(order),
        "billingAddress": _address(order["billingAddress"]) if order.get("billingAddress") else {},
        "tags": order.get("tags", []),
        "currencyCode": order["presentmentCurrency"],
        "fulfillments": [_fulfillment(row, order, lines) for row in order["fulfillments"]],
    }


def _price(money_set: Json) -> float:
    return float(money_set["presentmentMoney"]["amount"])


def _product(line: Json) -> dict[str, Any]:
    names = ("id", "productId", "variantId", "title", "sku")
    return {name: line.get(name) for name in names}


def _line(line: Json) -> dict[str, Any]:
    return {
        **_product(line),
        "quantity": line["quantity"],
        "price": _price(line["priceSet"]),
        "imageUrl": line.get("image"),
        "discount": sum(_price(discount["amountSet"]) for discount in line.get("discounts", ())),
    }


def _customer(customer: Json) -> dict[str, Any]:
    return {
        "id": customer.get("id"),
        "email": customer["email"],
        "phoneNumber": customer.get("phone"),
        "name": f"{customer['firstName']} {customer['lastName']}".strip(),
        "firstName": customer["firstName"],
        "lastName": customer["lastName"],
    }


def _shipping(order: Json) -> dict[str, Any]:
    lines = order["shippingLines"]
    return {
        "method": lines[0]["title"] if lines else None,
        "cost": sum(_price(line["priceSet"]) for line in lines) if lines else None,
        "address": _address(order["shippingAddress"]),
    }


def _address(address: Json) -> dict[str, Any]:
    return {
        "address1": address.get("address1"),
        "address2": address.get("address2"),
        "city": address.get("city"),
        "province": address.get("provinceCode"),
        "country": address.get("countryCode"),
        "postalCode": address.get("zip"),
    }


def _fulfillment(row: Json, order: Json, lines: Mapping[str, Json]) -> dict[str, Any]:
    numbers = row.get("trackingNumbers") or [{}]
    delivered, shipped = row.get("deliveryDate"), row.get("shippingDate")
    return {
        "id": row["id"],
        "createdAt": shipped or order["updatedAt"],
        "lineItems": [{**_product(lines[part["id"]]), "quantity": part["quantity"]} for part in row["lineItems"]],
        "trackingCompany": numbers[0].get("carrier"),
        "trackingNumber": numbers[0].get("trackingNumber"),
        "status": "delivered" if delivered else "in_transit" if shipped else "pre_transit",
        "deliveredAt": delivered,
        "trackingHistory": [],
    }
