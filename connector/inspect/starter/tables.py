"""Which table holds orders, which their lines, and what else an order is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connector.inspect.starter.columns import having
from connector.inspect.starter.schema.facts import MOMENTS, ForeignKey, Schema, TableFacts
from connector.inspect.starter.schema.names import concepts, may_mean, words
from connector.model.changes import TableName

_LOOSE: Final = frozenset({"user", "users", "account", "accounts", "member", "members"})
_LOOSER: Final = frozenset({"partner", "partners", "party", "parties", "contact", "contacts"})
"""Words for a customer that may as well be somebody of the shop's own, or who does business with it."""
SHIP: Final = frozenset({"ship", "deliver", "parcel"})
BILL: Final = frozenset({"bill"})
_OTHERS: Final = frozenset({"created", "changed", "cancel", *SHIP, *BILL})
"""Of a key: that it names somebody else than the buyer."""
_CERTAIN: Final = 8.0
_LEAD: Final = 2.0
_LINE_CERTAIN: Final = 5.0
_FILLED: Final = 2.0
"""What a table lacks that was analysed and is empty: an old one, or one that is to come."""
_ELSE: Final = 3.0
"""What each further word costs: an order_status is no order."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table that may be the one, with why. Certain ones are far enough before the next."""

    table: TableFacts
    score: float
    reasons: tuple[str, ...]


def meaning(table: TableName, prefixes: frozenset[str]) -> frozenset[str]:
    """Of a table's name, without the words that its neighbours begin with, too."""
    kept = [word for word in words(table.name) if word not in prefixes] or list(words(table.name))
    return concepts("_".join(kept))


def rank(schema: Schema, prefixes: frozenset[str]) -> list[Candidate]:
    """Tables that may hold orders, the likeliest first."""
    referring: dict[TableName, dict[TableName, TableFacts]] = defaultdict(dict)
    for facts in schema.values():
        for key in facts.keys:
            referring[key.table][facts.name] = facts
    found = [_as_order(facts, list(referring[facts.name].values()), schema, prefixes) for facts in schema.values()]
    return sorted((one for one in found if one.score > 0), key=lambda one: (-one.score, str(one.table.name)))


def certain(ranked: Sequence[Candidate]) -> TableFacts | None:
    """The table that holds orders, where there is no doubt."""
    if not ranked or ranked[0].score < _CERTAIN:
        return None
    alone = len(ranked) == 1 or ranked[0].score - ranked[1].score >= _LEAD
    return ranked[0].table if alone else None


def _as_order(
    facts: TableFacts, referring: Sequence[TableFacts], schema: Schema, prefixes: frozenset[str]
) -> Candidate:
    means = meaning(facts.name, prefixes)
    said: list[tuple[float, str]] = []
    if "order" in means:
        said.append((6.0, "its name"))
    elif "order" in concepts(facts.comment):
        said.append((4.0, "its comment"))
    elif "purchase" in means:
        said.append((3.0, "its name"))
    said.append((-_ELSE * len(means - {"order", "header", "purchase"}), ""))
    lines = [other for other in referring if having(other, "quantity") or "line" in meaning(other.name, prefixes)]
    if lines:
        said.append((3.0, f"{lines[0].name} refers to it"))
    said.append((min(2.0, 0.5 * len(referring)), ""))
    if facts.table.rows > 0:
        said.append((0.0, f"about {facts.table.rows:,.0f} rows"))
    elif facts.table.rows == 0:
        said.append((-_FILLED, ""))
    for reason, weight, true in (
        ("a buyer", 2.0, _refers(facts, schema, prefixes, "customer") or having(facts, "email")),
        ("an address", 1.0, _refers(facts, schema, prefixes, "address") or having(facts, "zip")),
        ("a time", 1.0, any(column.type in (*MOMENTS, "date") for column in facts.columns.values())),
        ("a currency", 1.0, having(facts, "currency")),
        ("a primary key", 1.0, facts.table.primary_key),
    ):
        said += [(weight, reason)] if true else []
    bought = "purchase" in means and ("order" in means or having(facts, "supplier"))
    if bought or {"supplier", "cart"} & means or facts.table.refusal:
        said.append((-10.0, ""))
    return Candidate(facts, sum(weight for weight, _ in said), tuple(reason for _, reason in said if reason))


def _refers(facts: TableFacts, schema: Schema, prefixes: frozenset[str], concept: str) -> bool:
    return any(key.table in schema and concept in meaning(key.table, prefixes) for key in facts.keys)


@dataclass(frozen=True, slots=True)
class Link:
    """A table, and the foreign key that connects it: its own to another, or another's to it."""

    table: TableFacts
    key: ForeignKey


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What is around one table. `prefixes`: words that say nothing in this schema."""

    schema: Schema
    prefixes: frozenset[str]

    def means(self, facts: TableFacts) -> frozenset[str]:
        return meaning(facts.name, self.prefixes)

    def referring(self, to: TableFacts) -> Iterator[Link]:
        """Tables whose rows belong to a row of this one. Of several keys the shortest name is the plain one."""
        for facts in self.schema.values():
            keys = [key for key in facts.keys if key.table == to.name and not facts.table.refusal]
            if keys and facts.name != to.name:
                yield Link(facts, min(keys, key=lambda key: (not key.declared, len(str(key.columns)))))

    def referred(self, by: TableFacts) -> Iterator[Link]:
        """Tables that a row of this one names, once for each key."""
        for key in by.keys:
            if key.table in self.schema and key.table != by.name:
                yield Link(self.schema[key.table], key)

    def best(self, links: Sequence[Link], score: Callable[[Link], float], enough: float) -> Link | None:
        """The one that scores highest, where it is the only one and enough."""
        rated = sorted(((score(link), at) for at, link in enumerate(links)), key=lambda one: (-one[0], one[1]))
        if not rated or rated[0][0] < enough or (len(rated) > 1 and rated[1][0] == rated[0][0]):
            return None
        return links[rated[0][1]]

    def lines(self, order: TableFacts) -> Link | None:
        """The lines of the order table."""

        own = {"line", "header"} | self.means(order)

        def score(link: Link) -> float:
            means, facts = self.means(link.table), link.table
            found = 4.0 * ("line" in means) + ("order" in means)
            found += 3.0 * bool(having(facts, "quantity")) + 2.0 * bool(having(facts, "price"))
            found += 1.0 * (words(facts.name.name)[:1] == words(order.name.name)[:1])
            goods = any({"product", "variant"} & self.means(other.table) for other in self.referred(facts))
            return found + 2.0 * (goods or bool(having(facts, "sku"))) - 5.0 * len(means - own)

        return self.best(list(self.referring(order)), score, _LINE_CERTAIN)

    def parts(self, of: TableFacts, concept: str, *, without: frozenset[str] = frozenset()) -> list[Link]:
        """Tables of a kind whose rows belong to a row of this one."""
        return [
            link for link in self.referring(of) if concept in (means := self.means(link.table)) and not without & means
        ]

    def customer(self, order: TableFacts) -> Link | None:
        """Who bought: the table that an order names as its customer, the one with an e-mail address first."""

        def score(link: Link) -> float:
            named = concepts("_".join(link.key.columns))
            email = bool(having(link.table, "email"))
            found = 3.0 * ("customer" in self.means(link.table)) + 3.0 * email + 2.0 * ("customer" in named)
            spoken = {*words("_".join(link.key.columns)), *words(link.table.name.name)}
            found -= (1.0 if email else 2.0) * bool((_LOOSE | _LOOSER) & spoken)
            found -= 4.0 * (bool(_LOOSER & spoken) and bool(having(order, "email")))
            return found - 4.0 * bool(_OTHERS & named)

        return self.best(list(self.referred(order)), score, 4.0)

    def addresses(self, order: TableFacts) -> list[Link]:
        """Addresses that an order names, whatever for."""
        links = [link for link in self.referred(order) if having(link.table, "zip") or having(link.table, "city")]
        return [link for link in links if {"address", *SHIP, *BILL} & self._said(link)]

    def address(self, order: TableFacts, kind: frozenset[str]) -> Link | None:
        """Where it was sent (SHIP) or billed (BILL)."""
        links = self.addresses(order)
        named = [link for link in links if kind & self._said(link)]
        if len(named) == 1:
            return named[0]
        plain = [link for link in links if not BILL & self._said(link)]
        return plain[0] if kind == SHIP and not named and len(links) == len(plain) == 1 else None

    def _said(self, link: Link) -> frozenset[str]:
        """What the names of a table, and of the key that leads to it, may mean."""
        return self.means(link.table) | may_mean("_".join(link.key.columns))
