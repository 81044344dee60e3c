"""A schema to a proposed mapping: the tree of its fields, and the text of mapping.sql. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Final

from connector.inspect.starter.charges import order_discounts, refunds, shipping_lines
from connector.inspect.starter.columns import deleted, having, moment, pick, rules, status, text
from connector.inspect.starter.expressions import asked, column, id_text, or_asked
from connector.inspect.starter.goods import line_items, lines_of
from connector.inspect.starter.parcels import fulfillments
from connector.inspect.starter.people import Joins, address, billing_place, customer, shipping_place
from connector.inspect.starter.schema.facts import TableFacts
from connector.inspect.starter.schema.names import concepts
from connector.inspect.starter.tables import Link, Neighbourhood
from connector.inspect.starter.tree import CHECK, TODO, Leaf, Node, Outputs, Part, leaves, questions, remark, written
from connector.postgres.quoting import quoted

_PLACED: Final = rules("placed date", "placed", "date", "created date", "created")
_CANCELLED: Final = rules("cancel date", "cancel")
_CHANGED: Final = rules("changed date", "changed")


@dataclass(frozen=True, slots=True)
class Question:
    """A field that a person has to write. `line`: of the mapping, from 1."""

    line: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class ProposedMapping:
    """`outputs`: the tree of fields; `joins`, `where`: of its FROM; `zoneless`: the time of an order, where it says no
    zone."""

    order: TableFacts
    outputs: Outputs
    joins: Sequence[str]
    where: Sequence[str]
    zoneless: str | None

    @property
    def text(self) -> str:
        return _text(self)

    @property
    def questions(self) -> list[Question]:
        """In the order of the text."""
        return [Question(at, *one) for at, one in zip(self._lines(TODO), questions(self.outputs), strict=True)]

    @property
    def checks(self) -> list[int]:
        """Lines with what is to be looked at."""
        return self._lines(CHECK)

    @property
    def filled(self) -> int:
        return sum(1 for _, leaf in leaves(self.outputs) if leaf.sql)

    @property
    def lacks_currency(self) -> bool:
        return any(path == "presentmentCurrency" for path, _ in questions(self.outputs))

    def _lines(self, beginning: str) -> list[int]:
        return [at for at, line in enumerate(self.text.splitlines(), 1) if line.lstrip().startswith(beginning)]


def propose(
    around: Neighbourhood, order: TableFacts, *, currency: str | None = None, sent_to: Link | None = None
) -> ProposedMapping:
    """For orders that are rows of this table. `currency`: of all of them, where no column says it; `sent_to`: the
    shipping address, where names don't tell."""
    joins = Joins()
    place = shipping_place(around, order, joins, sent_to)
    shipping = address(place, around, joins)
    billed = billing_place(around, order, joins)
    lines = lines_of(around, order)
    placed = pick(order, _PLACED, moment, "order header")
    money = _currency(order, currency)
    outputs: list[tuple[str, Node]] = [
        ("id", _id(order)),
        ("createdAt", _created(order, placed.column) or asked(placed, "when it was placed", "timestamptz")),
        ("presentmentCurrency", money),
        ("shopCurrency", money if money.sql else Leaf(todo="the currency of the books: that of the shopper, mostly")),
        *_cancelled(order),
        ("customer", customer(around, order, place, joins)),
        ("shippingAddress", shipping),
        *((("billingAddress", _known(address(billed, around, joins))),) if billed is not None else ()),
        ("lineItems", line_items(around, order, lines)),
        ("orderDiscounts", order_discounts(around, order)),
        ("shippingLines", shipping_lines(around, order)),
        ("fulfillments", fulfillments(around, order, lines)),
        *refunds(around, order, lines.facts if lines else None),
    ]
    zoned = placed.column is None or order.columns[placed.column].type == "timestamptz"
    zoneless = None if zoned else f"{order.name}.{placed.column}"
    return ProposedMapping(order, outputs, joins.clauses, _only_orders(order, placed.column), zoneless)


def _id(order: TableFacts) -> Leaf:
    key, identity = order.table.primary_key, order.identity
    if not key:
        todo = f"what tells an order: {order.name} has no primary key, so `redo-connector check` asks for a line, too"
        return Leaf(todo=todo)
    rest = [name for name in key if name not in identity]
    return Leaf(id_text("o", order, identity), check=f"that it is unique without {', '.join(rest)}" if rest else "")


def _only_orders(order: TableFacts, placed: str | None) -> list[str]:
    """Rows without the time at which they were placed are no orders yet, and Redo would refuse them."""
    optional = placed is not None and not order.columns[placed].not_null
    return [*([f"{column('o', order, placed or '')} IS NOT NULL"] if optional else []), *deleted(order, "o")]


def _created(order: TableFacts, name: str | None) -> Leaf | None:
    return None if name is None else Leaf(column("o", order, name))


def _currency(order: TableFacts, given: str | None) -> Leaf:
    """One for both: few shops charge in another currency than they show."""
    todo = "the currency that the shopper saw, ISO 4217, such as 'USD'"
    found = pick(order, rules("currency", "currency key"), text, "order header")
    if found.column is None and given is not None and not found.rivals:
        return Leaf(f"'{given}'")
    return or_asked(found, "o", order, todo)


def _known(part: Part) -> Part:
    """Without its questions: every field of a billing address may be missing."""
    return Part(tuple((name, node) for name, node in part.fields if not (isinstance(node, Leaf) and node.todo)))


def _cancelled(order: TableFacts) -> list[tuple[str, Node]]:
    """When it was cancelled, where a column says so; a status that says it has no time of its own."""
    found = pick(order, _CANCELLED, moment, "order header").column
    if found is not None:
        when = column("o", order, found)
        return [("cancelledAt", Leaf(when)), ("cancelReason", Leaf(f"CASE WHEN {when} IS NOT NULL THEN 'other' END"))]
    state = status(order)
    words = [word for word in order.labels.get(state or "", ()) if "cancel" in concepts(word)]
    since = pick(order, _CHANGED, moment, "order header").column
    if state is None or len(words) != 1 or since is None:
        signs = list(dict.fromkeys([*having(order, "cancel"), *([state] if state else [])]))
        asked_for = Leaf(todo=f"when it was cancelled, if it was; see {', '.join(signs)}", kind="timestamptz")
        return [("cancelledAt", asked_for)] if signs else []
    said = f"{column('o', order, state)} = {_literal(words[0])}"
    at = Leaf(f"CASE WHEN {said} THEN {column('o', order, since)} END", check="the time of the last change")
    return [("cancelledAt", at), ("cancelReason", Leaf(f"CASE WHEN {said} THEN 'other' END"))]


def _literal(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


_HEAD: Final = """\
-- What an order is, in Redo's words: a starter, made by `redo-connector init` from the names and keys of the tables.
--
-- One SELECT, one row an order; the output columns are Redo's fields. Each `TODO` is a field that has to be written,
-- each `check` one to look at. A plain number where Redo wants money is money in the order's currencies, NULL where it
-- wants a list is the empty list. docs/mapping-guide.md has a recipe for most of what is left, and for what isn't here:
-- Redo's coverage, several stores, archived orders. Redo doesn't need tags, metafields, transactions and images.
"""


_LEFT_OUT: Final = "the only rows that are left out, because they are no orders: not placed yet, or marked as deleted"


def _text(proposed: ProposedMapping) -> str:
    order = proposed.order
    columns = [f"{remark(node)}{written(node)} AS {_output(name)}" for name, node in proposed.outputs]
    key = order.table.primary_key
    note = ""
    if len(key) > 1:
        note = f"-- order_key: {quoted(*_pair(order))}({', '.join(quoted(name) for name in key)})\n"
    body = ",\n".join(indent(each, "    ") for each in columns)
    joins = "".join(f"\n{clause}" for clause in proposed.joins)
    where = f"\n{CHECK} {_LEFT_OUT}\nWHERE {' AND '.join(proposed.where)}" if proposed.where else ""
    return f"{_HEAD}{note}\nSELECT\n{body}\nFROM {order.written} AS o{joins}{where}\n"


def _pair(order: TableFacts) -> tuple[str, str]:
    return order.name.schema, order.name.name


def _output(name: str) -> str:
    return name if name.islower() else f'"{name}"'
