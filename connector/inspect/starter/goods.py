"""The lines of an order, and what was bought."""

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
from connector.inspect.starter.tree import Leaf, Node, Part, Rows, written

OF_LINE: Final = "line order header"
"""What nothing needs to be said of in a table of lines."""
_OF_PRODUCT: Final = "product variant line"
_GOODS: Final = ({"product"}, {"catalogue?", "product"}, {"catalog?", "product"}, {"line"}, {"product", "header"})
"""What tables of products are called; an `item` that a line names is one, too."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The table of the lines, how it refers to the order, and the columns that tell a line."""

    facts: TableFacts
    key: ForeignKey
    identity: tuple[str, ...]

    @property
    def order_by(self) -> tuple[str, ...]:
        """What tells the lines of one order apart."""
        within = tuple(name for name in self.identity if name not in self.key.columns)
        return within or self.identity or self.key.columns


def lines_of(around: Neighbourhood, order: TableFacts) -> Lines | None:
    link = around.lines(order)
    if link is None:
        return None
    facts = link.table
    identity = facts.identity
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
    quantity = pick(facts, rules("quantity", "quantity placed", "quantity product", "quantity unit"), number, OF_LINE)
    title = pick(facts, rules("title", "product name", "name", "title product"), text, OF_LINE)
    fields: list[tuple[str, Leaf]] = [
        ("id", line_id(lines)),
        ("productId", _product_id(facts, product, variant, sku)),
        *((("variantId", Leaf(id_text("l", facts, variant.key.columns))),) if variant else ()),
        ("sku", sku),
        ("title", _title(facts, title, product, variant)),
        ("quantity", or_asked(quantity, "l", facts, "how many units", "integer")),
        ("priceSet", _price(facts)),
        *_beside_the_price(around, facts),
    ]
    order_by = ", ".join(column("l", facts, name) for name in lines.order_by)
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


def line_id(lines: Lines) -> Leaf:
    if lines.identity:
        return Leaf(key_text("l", lines.facts, lines.identity))
    return Leaf(todo="an id of the line: unique in its order, never changed, without underscores")


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
    found = pick(line, rules("sku", "product sku", "sku key"), _no_reference, OF_LINE)
    if found.column is None:
        named = [name for name in line.columns if "sku" in concepts(name) and line.text(name)]
        named = named or [name for name in line.columns if _is_code(line, name)]
        coded = pick(
            line, rules("key", "number"), lambda facts, name: _no_reference(facts, name) and _of_item(name), OF_LINE
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
    said = means(name, OF_LINE.split())
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
        own = pick(line, rules("product key", "product number"), any_type, OF_LINE).column
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


def _beside_the_price(around: Neighbourhood, line: TableFacts) -> Iterator[tuple[str, Leaf]]:
    """Discounts and taxes, where there is a sign of any: whether they are for a unit or for all, no name tells."""
    for name, concept, what in (
        ("discounts", "discount", "what was taken off for all units of the line, a list of amountSet, discountId"),
        ("taxLines", "tax", "tax on all units of the line, a list of priceSet, rate, title"),
    ):
        columns = [each for each in having(line, concept) if number(line, each) and not _GROSS & concepts(each)]
        signs = [*columns, *(str(link.table.name) for link in around.parts(line, concept))]
        if signs:
            yield name, Leaf(todo=f"{what}; see {', '.join(signs)}", kind="jsonb")
    covered = having(line, "coverage")
    if covered:
        todo = f"what tells Redo's coverage line (docs/mapping-guide.md: Coverage line); see {', '.join(covered)}"
        yield "properties", Leaf(todo=todo, kind="jsonb")


_GROSS: Final = frozenset({"net", "gross", "price"})
"""A price without tax says nothing of how much tax there is."""
