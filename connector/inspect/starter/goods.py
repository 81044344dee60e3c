"""The lines of an order, what was sent of them, and what was charged beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.inspect.starter.columns import (
    Found,
    any_type,
    deleted,
    having,
    means,
    moment,
    money,
    number,
    pick,
    rules,
    text,
)
from connector.inspect.starter.expressions import asked, column, id_text, joined, key_text, left_join, or_asked
from connector.inspect.starter.schema.facts import ForeignKey, TableFacts
from connector.inspect.starter.schema.names import concepts, words
from connector.inspect.starter.tables import Link, Neighbourhood
from connector.inspect.starter.tree import Leaf, Node, One, Part, Rows, written

_OF_LINE: Final = "line order header"
_OF_PRODUCT: Final = "product variant line"
_GOODS: Final = ({"product"}, {"catalogue?", "product"}, {"catalog?", "product"}, {"line"}, {"product", "header"})
"""What tables of products are called; an `item` that a line names is one, too."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The table of the lines, how it refers to the order, and the columns that tell a line."""

    facts: TableFacts
    key: ForeignKey
    identity: tuple[str, ...]


def lines_of(around: Neighbourhood, order: TableFacts) -> Lines | None:
    link = around.lines(order)
    if link is None:
        return None
    facts = link.table
    identity = facts.table.primary_key
    if not identity:
        number_ = pick(facts, rules("line number", "line", "number line key"), number).column
        identity = (*link.key.columns, number_) if number_ else ()
    return Lines(facts, link.key, identity)


def line_items(around: Neighbourhood, order: TableFacts, lines: Lines | None) -> Node:
    if lines is None:
        todo = "no table of order lines was recognised; a list of id, productId, sku, title, quantity, priceSet"
        return Leaf(todo=todo, kind="jsonb")
    source = [f"{lines.facts.written} AS l"]
    product, variant = _goods(around, lines.facts, source)
    facts = lines.facts
    sku = _sku(facts, product, variant)
    quantity = pick(facts, rules("quantity", "quantity placed", "quantity product", "quantity unit"), number, _OF_LINE)
    title = pick(facts, rules("title", "product name", "name", "title product"), text, _OF_LINE)
    fields: list[tuple[str, Leaf]] = [
        ("id", _line_id(lines)),
        ("productId", _product_id(facts, product, variant, sku)),
        *((("variantId", Leaf(id_text("l", facts, variant.key.columns))),) if variant else ()),
        ("sku", sku),
        ("title", _title(facts, title, product, variant)),
        ("quantity", or_asked(quantity, "l", facts, "how many units", "")),
        ("priceSet", _price(facts)),
    ]
    if not lines.identity:
        fields[0] = ("id", Leaf(todo="an id of the line: unique in its order, never changed, without underscores"))
    order_by = ", ".join(column("l", facts, name) for name in lines.identity or lines.key.columns)
    where = (joined(lines.key, ("l", facts), ("o", order)), *deleted(facts, "l"))
    part = Part(tuple(fields))
    return Rows(part, _used(source, written(part)), where, order_by)


def _used(source: list[str], text: str) -> tuple[str, ...]:
    """Without the joins that nothing is taken from."""
    kept: list[str] = []
    for clause in reversed(source[1:]):
        alias = clause.partition(" AS ")[2].partition(" ")[0]
        if f"{alias}." in text or any(f"{alias}." in other for other in kept):
            kept.insert(0, clause)
    return (source[0], *kept)


def _line_id(lines: Lines) -> Leaf:
    return Leaf(key_text("l", lines.facts, lines.identity)) if lines.identity else Leaf(todo="an id of the line")


@dataclass(frozen=True, slots=True)
class _Joined:
    """A table that the lines' query joins."""

    alias: str
    facts: TableFacts
    key: ForeignKey


def _goods(around: Neighbourhood, line: TableFacts, source: list[str]) -> tuple[_Joined | None, _Joined | None]:
    """The product and the variant that a line names, joined. A variant leads to its product."""
    product = variant = None
    for link in around.referred(line):
        kind = around.means(link.table)
        if kind in _GOODS:
            product = _joined(source, ("l", line), link, "p") if product is None else product
        elif "variant" in kind and kind <= {"variant", "product"}:
            variant = _joined(source, ("l", line), link, "v") if variant is None else variant
    if variant is not None and product is None:
        found = [link for link in around.referred(variant.facts) if around.means(link.table) in _GOODS]
        if len(found) == 1:
            product = _joined(source, ("v", variant.facts), found[0], "p")
    return product, variant


def _joined(source: list[str], holder: tuple[str, TableFacts], link: Link, alias: str) -> _Joined:
    source.append(left_join(link.key, holder, (alias, link.table)))
    return _Joined(alias, link.table, link.key)


def _sku(line: TableFacts, product: _Joined | None, variant: _Joined | None) -> Leaf:
    found = pick(line, rules("sku", "product sku", "sku key"), _no_reference, _OF_LINE)
    if found.column is None:
        named = [name for name in line.columns if "sku" in concepts(name) and line.text(name)]
        named = named or [name for name in line.columns if _is_code(line, name)]
        coded = pick(
            line, rules("key", "number"), lambda facts, name: _no_reference(facts, name) and _of_item(name), _OF_LINE
        )
        found = Found(named[0]) if len(named) == 1 else coded if coded.column else Found(None, tuple(named))
    if found.column is not None:
        return Leaf(column("l", line, found.column))
    for goods in (variant, product):
        if goods is not None:
            of_goods = pick(goods.facts, rules("sku", "sku key", "product sku"), text, _OF_PRODUCT).column
            if of_goods:
                return Leaf(column(goods.alias, goods.facts, of_goods))
    return asked(found, "the stock keeping unit of what was bought")


def _of_item(name: str) -> bool:
    """`item_code`, `itm_cd`: the code of the goods, though the word for a line is in it."""
    return "line" in concepts(name) and not {"line", "pos", "position", "row"} & set(name.lower().split("_"))


def _is_code(line: TableFacts, name: str) -> bool:
    """`product_code`, not `product_id`."""
    said = means(name, _OF_LINE.split())
    return said in rules("product key", "product number") and not _IDS & set(words(name)) and _no_reference(line, name)


_IDS: Final = frozenset({"id", "uuid", "guid", "key", "pk", "ref"})


def _no_reference(facts: TableFacts, name: str) -> bool:
    """A text that is no column of a key to another table, nor of the primary key."""
    return facts.text(name) and name not in facts.table.primary_key


def _product_id(line: TableFacts, product: _Joined | None, variant: _Joined | None, sku: Leaf) -> Leaf:
    named = None
    if product is not None and product.key.columns and product.key in line.keys:
        named, empty = id_text("l", line, product.key.columns), not line.columns[product.key.columns[0]].not_null
    elif product is not None:
        named, empty = id_text(product.alias, product.facts, product.facts.table.primary_key), True
    elif variant is not None and (own := pick(variant.facts, rules("product key", "product"), any_type).column):
        named, empty = f"{column(variant.alias, variant.facts, own)}::text", True
    else:
        own = pick(line, rules("product key", "product number"), any_type, _OF_LINE).column
        if own is not None:
            named, empty = f"{column('l', line, own)}::text", not line.columns[own].not_null
    if named is None:
        return Leaf(sku.sql, check="the same as the sku") if sku.sql else Leaf(todo="an id of the product")
    if named.removesuffix("::text") == sku.sql:
        return Leaf(sku.sql)
    # A product that was deleted leaves its line behind.
    return Leaf(f"coalesce({named}, {sku.sql})") if empty and sku.sql else Leaf(named)


def _title(line: TableFacts, own: Found, product: _Joined | None, variant: _Joined | None) -> Leaf:
    if own.column is not None:
        return Leaf(column("l", line, own.column))
    for goods in (product, variant):
        if goods is not None and not own.rivals:
            found = pick(goods.facts, rules("name", "title"), text, _OF_PRODUCT)
            if found.column is not None:
                return Leaf(column(goods.alias, goods.facts, found.column))
    return asked(own, "what the shopper knows it by")


def _price(line: TableFacts) -> Leaf:
    found = money(line, frozenset({"price"}), "order header product line")
    if found.column is None:
        return asked(found, "price of one unit, before tax and discounts", "numeric")
    name = column("l", line, found.column)
    if "cents" in means(found.column, ()):
        name = f"round({name} / 100.0, 2)"
    net = "net" in concepts(found.column)
    return Leaf(name, check="" if net else "of one unit, before tax and discounts")


_CHARGED: Final = frozenset({"charge", "total"})


def shipping_lines(around: Neighbourhood, order: TableFacts) -> Node:
    """What was charged for sending, before tax."""
    found = money(order, frozenset({"ship", "deliver", "freight"}), "order header", _CHARGED)
    if found.column is None and not found.rivals:
        found = money(order, frozenset({"parcel"}), "order header", _CHARGED)
    if found.column is None:
        tables = [
            str(link.table.name)
            for link in around.referring(order)
            if {"ship", "deliver", "freight"} & around.means(link.table)
        ]
        where = f"; see {', '.join(tables)}" if tables and not found.rivals else ""
        return asked(found, f"what was charged for shipping, before tax: a list of id, title, priceSet{where}", "jsonb")
    name = column("o", order, found.column)
    if "cents" in means(found.column, ()):
        name = f"round({name} / 100.0, 2)"
    fields = (("id", Leaf("'shipping'")), ("title", Leaf("'Shipping'")), ("priceSet", Leaf(name)))
    return One(Part(fields))


def order_discounts(around: Neighbourhood, order: TableFacts) -> Leaf:
    """Discounts are asked for where there is a sign of any: which stand at the lines already, names don't tell."""
    tables = [str(link.table.name) for link in around.referring(order) if "discount" in around.means(link.table)]
    signs = [*having(order, "discount"), *tables]
    if not signs:
        return Leaf("NULL::jsonb", kind="jsonb")
    todo = f"discounts on the whole order, a list of amountSet and discountId; see {', '.join(signs)}"
    return Leaf(todo=todo, kind="jsonb")


def fulfillments(around: Neighbourhood, order: TableFacts, lines: Lines | None) -> Node:
    """What left the house: parcels with their lines; or, with a date in the order itself and no table of parcels
    anywhere, all of it."""
    links = around.parts(order, "parcel", without=frozenset({"line", "status", "refund", "tax", "discount", "payment"}))
    if lines is not None and lines.identity:
        if len(links) == 1 and (made := _parcels(around, order, lines, links[0])) is not None:
            return made
        sent = pick(order, _SENT, moment, "order header")
        elsewhere = any("parcel" in around.means(facts) for facts in around.schema.values())
        if sent.column is not None and not elsewhere:
            return _all_at_once(order, lines, sent.column)
    shown = links or around.parts(order, "ship")
    seen = f"; see {', '.join(str(link.table.name) for link in shown)}" if shown else ""
    todo = f"what left the house, a list of id and lineItems (id, quantity); what isn't in it can't be returned{seen}"
    return Leaf(todo=todo, kind="jsonb")


_SENT: Final = (*rules("shipped date", "shipped", "ship date", "parcel date", "parcel shipped date", "parcel shipped"),)
_ARRIVED: Final = rules("delivered date", "delivered", "parcel delivered date", "parcel delivered")


def _parcels(around: Neighbourhood, order: TableFacts, lines: Lines, link: Link) -> Rows | None:
    """None where it can't be told which parcels have left, or what was in them."""
    parcel = link.table
    sent = pick(parcel, _SENT, moment, "order").column
    inside = [(held, to_line) for held in around.referring(parcel) for to_line in _to_line(held.table, lines)]
    if not sent or len(inside) != 1 or not parcel.table.primary_key:
        return None
    (held, to_line) = inside[0]
    quantity = pick(held.table, rules("quantity", "quantity parcel", "quantity ship"), number, _OF_LINE).column
    if quantity is None or set(to_line.referred) != set(lines.identity):
        return None
    by = dict(zip(to_line.referred, to_line.columns, strict=True))
    same = _same_id(lines, [by[name] for name in lines.identity], held.table)
    rows = Rows(
        Part((("id", Leaf(same)), ("quantity", Leaf(column("pl", held.table, quantity))))),
        (f"{held.table.written} AS pl",),
        (
            joined(held.key, ("pl", held.table), ("s", parcel)),
            *_within(held.table, parcel, held.key, link.key),
            *deleted(held.table, "pl"),
        ),
        ", ".join(column("pl", held.table, name) for name in by.values()),
    )
    arrived = pick(parcel, _ARRIVED, moment, "order").column
    tracking = pick(parcel, rules("tracking", "tracking number", "tracking key"), text, "parcel ship").column
    fields: list[tuple[str, Node]] = [
        ("id", Leaf(id_text("s", parcel, parcel.table.primary_key))),
        ("shippingDate", Leaf(column("s", parcel, sent))),
        *((("deliveryDate", Leaf(column("s", parcel, arrived))),) if arrived else ()),
        *_tracking(parcel, tracking),
        ("lineItems", rows),
    ]
    left = f"{column('s', parcel, sent)} IS NOT NULL"
    where = (joined(link.key, ("s", parcel), ("o", order)), left, *deleted(parcel, "s"))
    by_key = ", ".join(column("s", parcel, name) for name in parcel.table.primary_key)
    return Rows(Part(tuple(fields)), (f"{parcel.written} AS s",), where, by_key)


def _to_line(held: TableFacts, lines: Lines) -> Iterator[ForeignKey]:
    yield from [key for key in held.keys if key.table == lines.facts.name][:1]


def _same_id(lines: Lines, columns: list[str], held: TableFacts) -> str:
    """A line's id as it is written of the line itself, from the columns that refer to it."""
    return key_text("pl", held, columns)


def _within(held: TableFacts, parcel: TableFacts, to_parcel: ForeignKey, to_order: ForeignKey) -> Iterator[str]:
    """Where a parcel's line says whose it is, too: joined on that, a changed one leads to its order by itself."""
    for name in to_order.columns:
        if name in held.columns and name not in to_parcel.columns:
            yield f"{column('pl', held, name)} = {column('s', parcel, name)}"


def _tracking(parcel: TableFacts, tracking: str | None) -> Iterator[tuple[str, Node]]:
    if tracking is not None:
        number_ = column("s", parcel, tracking)
        yield "trackingNumbers", One(Part((("trackingNumber", Leaf(number_)),)), f"{number_} IS NOT NULL")


def _all_at_once(order: TableFacts, lines: Lines, sent: str) -> One:
    """An order that is sent as a whole, with its dates in the header."""
    facts = lines.facts
    quantity = pick(facts, rules("quantity", "quantity placed"), number, _OF_LINE)
    rows = Rows(
        Part((("id", _line_id(lines)), ("quantity", or_asked(quantity, "l", facts, "how many units")))),
        (f"{facts.written} AS l",),
        (joined(lines.key, ("l", facts), ("o", order)), *deleted(facts, "l")),
        ", ".join(column("l", facts, name) for name in lines.identity),
    )
    arrived = pick(order, _ARRIVED, moment, "order header").column
    tracking = pick(order, rules("tracking", "tracking number"), text, "order header parcel ship").column
    fields: list[tuple[str, Node]] = [
        ("id", Leaf("'parcel'")),
        ("shippingDate", Leaf(column("o", order, sent), check="when it left the house, not when it should")),
        *((("deliveryDate", Leaf(column("o", order, arrived))),) if arrived else ()),
        *((name, _in_order(node, order, tracking)) for name, node in _tracking(order, tracking)),
        ("lineItems", rows),
    ]
    return One(Part(tuple(fields)), f"{column('o', order, sent)} IS NOT NULL")


def _in_order(node: Node, order: TableFacts, tracking: str | None) -> Node:
    number_ = column("o", order, tracking or "")
    return One(Part((("trackingNumber", Leaf(number_)),)), f"{number_} IS NOT NULL")
