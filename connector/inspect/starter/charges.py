"""What was charged beside the lines, taken off, and paid back."""

from __future__ import annotations

from typing import Final

from connector.inspect.starter.columns import having, means, money
from connector.inspect.starter.expressions import asked, column
from connector.inspect.starter.schema.facts import TableFacts
from connector.inspect.starter.tables import Neighbourhood
from connector.inspect.starter.tree import Leaf, Node, One, Part

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
    name, said = column("o", order, found.column), means(found.column, ())
    amount = f"round({name} / 100.0, 2)" if "cents" in said else name
    price = Leaf(amount, check="" if "net" in said else "before tax")
    fields = (("id", Leaf("'shipping'")), ("title", Leaf("'Shipping'")), ("priceSet", price))
    return One(Part(fields), "" if order.columns[found.column].not_null else f"{name} IS NOT NULL")


def order_discounts(around: Neighbourhood, order: TableFacts) -> Leaf:
    """Discounts are asked for where there is a sign of any: which stand at the lines already, names don't tell."""
    tables = [str(link.table.name) for link in around.referring(order) if "discount" in around.means(link.table)]
    signs = [*having(order, "discount"), *tables]
    if not signs:
        return Leaf("NULL::jsonb", kind="jsonb")
    todo = f"discounts on the whole order, a list of amountSet and discountId; see {', '.join(signs)}"
    return Leaf(todo=todo, kind="jsonb")


def refunds(around: Neighbourhood, order: TableFacts, lines: TableFacts | None) -> list[tuple[str, Leaf]]:
    """What was paid back is asked for where there is a sign of any: Redo takes an order without it, and would pay
    again."""
    belonging = [link.table for of in (order, lines) if of is not None for link in around.referring(of)]
    tables = [str(facts.name) for facts in belonging if "refund" in around.means(facts) or having(facts, "refund")]
    signs = list(dict.fromkeys([*having(order, "refund"), *tables]))
    if not signs:
        return []
    todo = f"all that was paid back, a list of id, createdAt, lineItems; see {', '.join(signs)}"
    return [("refunds", Leaf(todo=todo, kind="jsonb"))]
