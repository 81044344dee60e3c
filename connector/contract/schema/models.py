"""Redo's order, field by field: the request body of `POST /stores/{storeId}/custom/orders`.

Every class names its schema in Redo's OpenAPI (`@redotech/redo-api-schema`); a test compares the two. Fields are read
in camelCase or snake_case and written in camelCase. What no schema shows is in `rules`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from connector.contract.schema.fields import Count, Entries, Exact, Id, NoRows, Number, Omitted, Rows, Timestamp, Words
from connector.contract.schema.money import MoneySet
from connector.contract.schema.part import Part


class Metafield(Part):
    """`custom-order-metafield`."""

    namespace: str
    key: str
    value: Words


class Discount(Part):
    """`discount`. On a line: the total for all its units."""

    amount_set: MoneySet
    discount_id: Id
    discount_title: str | None = Omitted
    discount_code: str | None = Omitted


class TaxLine(Part):
    """`tax-line`. On a line: the total for all its units. `rate` is a decimal string, null when unknown."""

    price_set: MoneySet
    rate: Words | None
    title: str | None = Omitted


class Customer(Part):
    """`custom-order-customer`."""

    email: str
    phone: str | None = None
    id: Id | None = Omitted
    first_name: str
    last_name: str
    tags: Rows[str] = NoRows


class BillingAddress(Part):
    """`custom-order-billing-address`."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    company: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    province_code: str | None = None
    zip: Words | None = None
    country_code: str | None = None
    phone: str | None = None


class ShippingAddress(BillingAddress):
    """`custom-order-address`: the same fields, of which more are required."""

    address1: str
    city: str
    province_code: str
    zip: Words
    country_code: str


class Property(Part):
    """`custom-order-line-item-property`."""

    name: str
    value: Words


class Image(Part):
    """`custom-order-line-item-image`."""

    url: str
    data: str | None = None


class Weight(Part):
    """`custom-order-line-item.weight`: `value` is in grams whatever `unit` says."""

    value: Exact
    unit: str


class LineItem(Part):
    """`custom-order-line-item`. `price_set` is per unit, before tax and discounts."""

    id: Id
    quantity: Number
    price_set: MoneySet
    returnable_quantity: Number | None = None
    title: str
    variant_title: str | None = None
    vendor: str | None = None
    fulfillment_service: str | None = None
    product_id: Id
    variant_id: Id | None = None
    additional_product_id: Id | None = None
    sku: Words
    properties: Entries[Property] = NoRows
    tags: Rows[str] = NoRows
    metafields: Entries[Metafield] = NoRows
    weight: Weight | None = None
    image: str | None = None
    images: Rows[Image] = NoRows
    discounts: Rows[Discount] = NoRows
    tax_lines: Rows[TaxLine] = NoRows


class ShippingLine(Part):
    """`custom-order-shipping-line`."""

    id: Id
    title: str
    code: Words | None = Omitted
    price_set: MoneySet
    discounts: Rows[Discount] = NoRows
    tax_lines: Rows[TaxLine] = NoRows


class TrackingNumber(Part):
    """`custom-order-tracking-number`."""

    carrier: str | None = None
    tracking_number: Words


class FulfilledLine(Part):
    """`custom-order-fulfillment-line-item`."""

    id: Id
    quantity: Number


class Fulfillment(Part):
    """`custom-order-fulfillment`. `delivery_date` starts the return window."""

    id: Id
    tracking_numbers: Rows[TrackingNumber] = NoRows
    tracking_urls: Rows[str] = NoRows
    line_items: Rows[FulfilledLine]
    shipping_date: Timestamp | None = None
    delivery_date: Timestamp | None = None


class CardDetails(Part):
    """`custom-order-transaction.additionalDetails`; a gateway's further details pass through untouched."""

    model_config = ConfigDict(extra="allow")

    credit_card_last_four: Annotated[str, Field(min_length=4, max_length=4)]


class Transaction(Part):
    """`custom-order-transaction`; a gateway's further fields pass through untouched. `amount` is a JSON number."""

    model_config = ConfigDict(extra="allow")

    payment_id: Id
    amount: Exact
    currency: str
    created_date: Timestamp
    payment_gateway: str
    additional_details: CardDetails | None = Omitted


class RefundedLine(Part):
    """`custom-order-refund-line-item`."""

    line_item_id: Id
    quantity: Count
    subtotal_set: MoneySet
    total_tax_set: MoneySet


class RefundAmount(Part):
    """`custom-order-refund-amount`: positive amounts."""

    amount_set: MoneySet
    tax_amount_set: MoneySet | None = Omitted
    reason: str | None = Omitted


class Refund(Part):
    """`custom-order-refund`."""

    id: Id
    created_at: Timestamp
    note: str | None = None
    line_items: Rows[RefundedLine] = NoRows
    shipping_refunds: Rows[RefundAmount] = NoRows
    order_level_refunds: Rows[RefundAmount] = NoRows


class CustomOrder(Part):
    """`custom-order-sync`: a complete order."""

    id: Id
    type: Literal["order"]
    billing_address: BillingAddress | None = None
    sales_channel: str | None = None
    created_at: Timestamp
    presentment_currency: str
    shop_currency: str
    customer: Customer
    line_items: Rows[LineItem]
    order_discounts: Rows[Discount]
    shipping_lines: Rows[ShippingLine]
    fulfillments: Rows[Fulfillment]
    shipping_address: ShippingAddress
    tags: Rows[str] = NoRows
    metafields: Entries[Metafield] = NoRows
    cancelled_at: Timestamp | None = None
    cancel_reason: Literal["customer", "fraud", "inventory", "declined", "other", "staff"] | None = None
    updated_at: Timestamp
    transactions: Rows[Transaction] = NoRows
    refunds: Rows[Refund] = NoRows
