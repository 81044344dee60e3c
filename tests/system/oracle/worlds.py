"""The schemas that the oracle plays with, each with its mappings: worlds/NAME/schema.sql and one .sql file a mapping.

What a catalog doesn't tell about a schema stands here: references that no foreign key declares, and values that make
sense. Of a shop (tests/shops/NAME) it stands in changes.toml. Knows neither connections nor random numbers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector.demo import oms as demo_oms

FOLDER: Final = Path(__file__).parent / "worlds"
SHOPS: Final = Path(__file__).parents[2] / "shops"


@dataclass(frozen=True, slots=True)
class World:
    """`values`: texts to choose from, by `table.column` or by column alone, None for NULL. `references`: by
    `table.column`, the `table.column` that it points at where no foreign key says so. `rows`: how many to begin with
    and roughly to stay with, by table, else `usual`. `still`: tables that are filled but never changed afterwards.
    `keys`: numbered primary keys are chosen from few, so that they are used again, and changed."""

    name: str
    schema: str
    mappings: Mapping[str, str]
    values: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    usual: int = 16
    still: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    """When not empty, the only tables to fill and change."""
    apart: frozenset[str] = frozenset()
    """Tables that are neither filled nor changed."""
    swept: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By mapping, its `mapping.sweep_tables`."""
    keys: bool = True
    id_column: str = ""
    """Of the order's table, what Redo calls the order; empty: its key."""


def worlds() -> Mapping[str, World]:
    """All worlds that need nothing but Postgres, by name."""
    return {world.name: world for world in (_oms(), _legacy(), _mixed(), _parts(), _soft(), _refs(), *shops())}


def shops() -> list[World]:
    """Open-source shops, with the tables that a mapping of their orders needs."""
    return [_shop(path.parent) for path in sorted(SHOPS.glob("*/changes.toml"))]


def _shop(folder: Path) -> World:
    """In changes.toml, tables are of the schema public, and the text NULL is NULL."""
    changes = tomllib.loads((folder / "changes.toml").read_text(encoding="utf-8"))
    schema, mapping = ((folder / f"{name}.sql").read_text(encoding="utf-8") for name in ("schema", "mapping"))
    values = {name: [None if text == "NULL" else text for text in texts] for name, texts in changes["values"].items()}
    references = {f"public.{column}": f"public.{target}" for column, target in changes.get("references", {}).items()}
    rows = {f"public.{table}": count for table, count in changes["rows"].items()}
    return World(folder.name, schema, {"mapping": mapping}, values, references, rows, id_column=changes.get("id", ""))


def _oms() -> World:
    return World(
        "oms",
        (Path(demo_oms.__file__).parent / "oms.sql").read_text(encoding="utf-8"),
        {"demo": demo_oms.mapping(), **_mappings("oms")},
        values={
            "email_addr": ("ada@mail.example", "bo@mail.example", "cy@mail.example"),
            "currency": ("USD", "EUR"),
            "cover_cd": (None,),
            "vendor_cd": ("Hearth", "Acme"),
            "final_sale_flg": ("N", "Y"),
            "vip_flg": ("N", "Y"),
            "status_cd": ("N", "S", "X"),
            "cxl_rsn_cd": ("CU", "FR", "ZZ", None),
            "qty": ("3", "4", "5"),
            "shipment_item.qty": ("1",),
            "refund_item.qty": ("1",),
            "tag_list": ("gift", "gift,rush", None),
            "refund_item.amt": ("1.00", "2.50"),
            "ship_meth_cd": ("GR", "EX"),
            "ctry_cd": ("US",),
            "chan_cd": ("WEB", "PHONE"),
        },
        references={
            "oms.shipment_item.ord_id": "oms.order_item.ord_id",
            "oms.refund_item.ord_id": "oms.order_item.ord_id",
        },
        rows={"oms.order_header": 24, "oms.order_item": 50, "oms.product": 10},
        still=frozenset({"oms.audit_log"}),
    )


def _legacy() -> World:
    return World(
        "legacy",
        _text("legacy", "schema"),
        _mappings("legacy"),
        values={"status": ("N ", "S ", "XX", None), "tier_code": ("a", "b", "none", None), "code": ("a", "b", "c")},
        references={
            "legacy.orders.cust_id": "legacy.customer.cust_id",
            "legacy.product.brand_id": "legacy.brand.brand_id",
            "legacy.item.order_id": "legacy.orders.order_id",
            "legacy.item.sku": "legacy.product.sku",
            "legacy.parcel.order_id": "legacy.orders.order_id",
            "legacy.parcel_item.parcel_id": "legacy.parcel.parcel_id",
            "legacy.parcel_item.item_id": "legacy.item.item_id",
            "legacy.scan.parcel_id": "legacy.parcel.parcel_id",
            "legacy.refund.order_id": "legacy.orders.order_id",
            "legacy.refund_item.refund_id": "legacy.refund.refund_id",
            "legacy.refund_item.item_id": "legacy.item.item_id",
            "legacy.tag.order_id": "legacy.orders.order_id",
        },
        swept={
            "in_list": ("legacy.blocked", "legacy.customer", "legacy.tier"),
            "ors": ("legacy.tag", "legacy.brand", "legacy.product", "legacy.item"),
            "recursive": ("legacy.parcel_item",),
            "windows": ("legacy.orders", "legacy.tier"),
        },
        rows={"legacy.orders": 24, "legacy.item": 48, "legacy.tier": 2, "legacy.brand": 4, "legacy.blocked": 2},
    )


def _mixed() -> World:
    return World(
        "mixed",
        _text("mixed", "schema"),
        _mappings("mixed"),
        values={"region": ("north", "süd", 'a,b"c')},
        rows={"Sales.Order": 24, "Sales.Order Line": 48, "Master data.Brand": 4},
    )


def _parts() -> World:
    return World(
        "parts",
        _text("parts", "schema"),
        _mappings("parts"),
        values={"kind": ("goods", "service", "gift"), "what": ("cancel", "hide", "call", None)},
        references={
            "public.orders.buyer_id": "public.buyer.id",
            "public.buyer.group_id": "public.buyer_group.id",
            "public.line.order_id": "public.orders.id",
            "public.event.order_id": "public.orders.id",
        },
        rows={"public.orders": 28, "public.line": 56, "public.event": 30, "public.buyer_group": 3},
    )


def _soft() -> World:
    return World(
        "soft",
        _text("soft", "schema"),
        _mappings("soft"),
        values={
            "kind": ("sale", "gift", "cart"),
            "note.kind": ("tag", "memo"),
            "state": ("draft", "live", "over"),
            "deleted_at": (None, None, "2024-01-01 10:00:00"),
            "source_type": ("Shop::Order", "Shop::Item", "Shop::Offer", None),
            "removed": ("true", "false", None),
        },
        references={
            "public.item.order_id": "public.orders.id",
            "public.item.offer_id": "public.offer.id",
            "public.adjustment.source_id": "public.orders.id",
            "public.note.order_id": "public.orders.id",
            "public.tag.order_id": "public.orders.id",
        },
        rows={"public.orders": 24, "public.item": 50, "public.adjustment": 40, "public.offer": 5, "public.tag": 30},
    )


def _refs() -> World:
    return World(
        "refs",
        _text("refs", "schema"),
        _mappings("refs"),
        values={
            "email": ("ada@mail.example", "Ada@Mail.example", "bo@mail.example", None),
            "tag_ids": (None, "{}", *(f"{{{n},{n + 1},NULL}}" for n in range(1, 64, 6))),
            "meta": (None, "{}", *(f'{{"agent": {n}}}' for n in range(1, 64, 4)), '{"agent": "7"}'),
            "origin": (None, *(f"sale.{kind},{n}" for kind in ("line", "order") for n in range(1, 64))),
        },
        references={
            "public.item.order_id": "public.orders.id",
            "public.orders.ship_id": "public.address.id",
            "public.orders.bill_id": "public.address.id",
        },
        rows={"public.orders": 24, "public.item": 50, "public.fee": 60, "public.tag": 30, "public.agent": 30},
    )


def _text(world: str, name: str) -> str:
    return (FOLDER / world / f"{name}.sql").read_text(encoding="utf-8")


def _mappings(world: str) -> dict[str, str]:
    names = sorted(path.stem for path in (FOLDER / world).glob("*.sql") if path.stem != "schema")
    return {name: _text(world, name) for name in names}
