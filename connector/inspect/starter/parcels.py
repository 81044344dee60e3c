"""What left the house: parcels with their lines, or the order as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.inspect.starter.columns import deleted, moment, number, pick, rules, text
from connector.inspect.starter.expressions import column, id_text, joined, key_text, or_asked
from connector.inspect.starter.goods import OF_LINE, Lines, line_id
from connector.inspect.starter.schema.facts import ForeignKey, TableFacts
from connector.inspect.starter.tables import Link, Neighbourhood
from connector.inspect.starter.tree import Leaf, Node, One, Part, Rows


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
    quantity = pick(held.table, rules("quantity", "quantity parcel", "quantity ship"), number, OF_LINE).column
    if quantity is None or set(to_line.referred) != set(lines.identity):
        return None
    by = dict(zip(to_line.referred, to_line.columns, strict=True))
    same = key_text("pl", held.table, [by[name] for name in lines.identity])
    rows = Rows(
        Part((("id", Leaf(same)), ("quantity", Leaf(column("pl", held.table, quantity))))),
        (f"{held.table.written} AS pl",),
        (
            joined(held.key, ("pl", held.table), ("s", parcel)),
            *_within(held.table, parcel, held.key, link.key),
            *deleted(held.table, "pl"),
        ),
        ", ".join(column("pl", held.table, by[name]) for name in lines.order_by),
    )
    arrived = pick(parcel, _ARRIVED, moment, "order").column
    tracking = pick(parcel, rules("tracking", "tracking number", "tracking key"), text, "parcel ship").column
    fields: list[tuple[str, Node]] = [
        ("id", Leaf(id_text("s", parcel, parcel.table.primary_key))),
        ("shippingDate", Leaf(column("s", parcel, sent))),
        *((("deliveryDate", Leaf(column("s", parcel, arrived))),) if arrived else ()),
        *_tracking("s", parcel, tracking),
        ("lineItems", rows),
    ]
    left = f"{column('s', parcel, sent)} IS NOT NULL"
    where = (joined(link.key, ("s", parcel), ("o", order)), left, *deleted(parcel, "s"))
    by_key = ", ".join(column("s", parcel, name) for name in parcel.table.primary_key)
    return Rows(Part(tuple(fields)), (f"{parcel.written} AS s",), where, by_key)


def _to_line(held: TableFacts, lines: Lines) -> Iterator[ForeignKey]:
    yield from [key for key in held.keys if key.table == lines.facts.name][:1]


def _within(held: TableFacts, parcel: TableFacts, to_parcel: ForeignKey, to_order: ForeignKey) -> Iterator[str]:
    """Where a parcel's line says whose it is, too: joined on that, a changed one leads to its order by itself."""
    for name in to_order.columns:
        if name in held.columns and name not in to_parcel.columns:
            yield f"{column('pl', held, name)} = {column('s', parcel, name)}"


def _tracking(alias: str, facts: TableFacts, tracking: str | None) -> Iterator[tuple[str, Node]]:
    if tracking is not None:
        number_ = column(alias, facts, tracking)
        yield "trackingNumbers", One(Part((("trackingNumber", Leaf(number_)),)), f"{number_} IS NOT NULL")


def _all_at_once(order: TableFacts, lines: Lines, sent: str) -> One:
    """An order that is sent as a whole, with its dates in the header."""
    facts = lines.facts
    quantity = pick(facts, rules("quantity", "quantity placed"), number, OF_LINE)
    rows = Rows(
        Part((("id", line_id(lines)), ("quantity", or_asked(quantity, "l", facts, "how many units", "integer")))),
        (f"{facts.written} AS l",),
        (joined(lines.key, ("l", facts), ("o", order)), *deleted(facts, "l")),
        ", ".join(column("l", facts, name) for name in lines.order_by),
    )
    arrived = pick(order, _ARRIVED, moment, "order header").column
    tracking = pick(order, rules("tracking", "tracking number"), text, "order header parcel ship").column
    fields: list[tuple[str, Node]] = [
        ("id", Leaf("'parcel'")),
        ("shippingDate", Leaf(column("o", order, sent), check="when it left the house, not when it should")),
        *((("deliveryDate", Leaf(column("o", order, arrived))),) if arrived else ()),
        *_tracking("o", order, tracking),
        ("lineItems", rows),
    ]
    return One(Part(tuple(fields)), f"{column('o', order, sent)} IS NOT NULL")
