"""The customer, and the addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.inspect.starter.columns import Found, Rule, having, means, pick, rules, text
from connector.inspect.starter.expressions import asked, column, id_text, left_join, or_asked
from connector.inspect.starter.schema.facts import ForeignKey, TableFacts
from connector.inspect.starter.schema.names import concepts, may_mean, words
from connector.inspect.starter.tables import BILL, SHIP, Link, Neighbourhood
from connector.inspect.starter.tree import Leaf, Part

_OF_PERSON: Final = "customer order ship deliver parcel bill address header"
_OF_ADDRESS: Final = "address order ship deliver parcel bill customer header"
_CODE_LENGTH: Final = 3
_FAMILY_FIRST: Final = frozenset({"vorname", "prenom", "voornaam"})
"""Words for a first name beside which `name` (`nom`, `naam`) is the last one."""
_FOREIGN_GIVEN: Final = frozenset({"nombre", "nome"})
"""Words for a name that are the first one beside a last name (`apellidos`, `cognome`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is: a table that is joined, or columns of the order's own; `words` tell these from others'."""

    alias: str
    facts: TableFacts
    own: str = _OF_ADDRESS
    only: frozenset[str] = frozenset()

    def fits(self, facts: TableFacts, name: str) -> bool:
        return text(facts, name) and (not self.only or name in self.only)


@dataclass(slots=True)
class Joins:
    """What the mapping's FROM joins, in order."""

    clauses: list[str] = field(default_factory=list)

    def add(self, key: ForeignKey, holder: tuple[str, TableFacts], target: tuple[str, TableFacts]) -> str:
        self.clauses.append(left_join(key, holder, target))
        return target[0]


def shipping_place(around: Neighbourhood, order: TableFacts, joins: Joins, chosen: Link | None = None) -> Place | None:
    """Where it was sent: an address that the order names, or its own columns."""
    link = chosen or around.address(order, SHIP)
    if link is not None:
        return Place(joins.add(link.key, ("o", order), ("sa", link.table)), link.table)
    own = _columns_of(order, SHIP) or _columns_of(order, frozenset())
    return Place("o", order, only=own) if own else None


def billing_place(around: Neighbourhood, order: TableFacts, joins: Joins) -> Place | None:
    link = around.address(order, BILL)
    if link is not None:
        return Place(joins.add(link.key, ("o", order), ("ba", link.table)), link.table)
    own = _columns_of(order, BILL)
    return Place("o", order, only=own) if own else None


def _columns_of(order: TableFacts, kind: frozenset[str]) -> frozenset[str]:
    """The order's own address columns of a kind; of those that say nothing when it is empty."""
    other = (SHIP | BILL) - kind
    own = [name for name in order.columns if (kind & may_mean(name) if kind else "status" not in may_mean(name))]
    own = [name for name in own if not other & concepts(name)]
    telling = {one for name in own for one in ("zip", "city", "street") if one in concepts(name)}
    return frozenset(own) if len(telling) > 1 else frozenset()


def address(place: Place | None, around: Neighbourhood, joins: Joins) -> Part:
    """A shipping address; without a place it is all questions."""
    if place is None:
        return Part(tuple((name, Leaf(todo=todo)) for name, todo in _ASKED.items()))
    given, family = names(place.alias, place.facts, place)
    street = pick(place.facts, _STREET, place.fits, place.own)
    second = pick(place.facts, _SECOND, place.fits, place.own)
    house = [name for name in place.facts.columns if _numbers_a_house(place, name)]
    if street.column and house:
        street = Found(None, (street.column, *house))

    def found(name: str, column_: Found) -> tuple[str, Leaf]:
        return name, or_asked(column_, place.alias, place.facts, _ASKED[name])

    def picked(wanted: Sequence[Rule]) -> Found:
        return pick(place.facts, wanted, place.fits, place.own)

    fields: list[tuple[str, Leaf]] = [
        *((("firstName", given), ("lastName", family)) if given and family else ()),
        found("address1", street),
        *((("address2", Leaf(column(place.alias, place.facts, second.column))),) if second.column else ()),
        found("city", picked(_CITY)),
        ("provinceCode", _province(place, around, joins)),
        found("zip", picked(_ZIP)),
        ("countryCode", _country(place, around, joins)),
    ]
    return Part(tuple(fields))


def _numbers_a_house(place: Place, name: str) -> bool:
    """`hausnr`, and `nr_entrega` among the columns of an address."""
    if place.only and name not in place.only:
        return False
    return "house" in concepts(name) or (bool(place.only) and means(name, place.own.split()) == {"number"})


_ASKED: Final = {
    "address1": "street and house number",
    "city": "city",
    "provinceCode": "state or province, as a code such as 'UT'; where the country has none, a text that is never empty",
    "zip": "postal code, as text",
    "countryCode": "country, as a code of two letters such as 'US'",
}
_STREET: Final = (
    *rules("street", "street 1", "street line 1", "1", "line 1", "address 1", "street address"),
    *rules("street number", "street title", ""),
)
_SECOND: Final = rules("street 2", "street line 2", "2", "line 2", "address 2")
_CITY: Final = rules("city", "city name")
_ZIP: Final = rules("zip", "zip key", "zip number", "zip city")
_PROVINCE: Final = rules("province iso", "province key", "province")
_COUNTRY: Final = rules("country iso", "country iso 2", "country key", "country")
_CODES: Final = rules("iso", "iso 2", "iso key", "iso key 2", "key iso 3166 1 2", "abbr", "key 2", "key")


def _province(place: Place, around: Neighbourhood, joins: Joins) -> Leaf:
    todo = _ASKED["provinceCode"]
    link = _named(place, around, "province")
    if link is not None:
        return _code(place, link, "province", joins, todo)
    found = pick(place.facts, _PROVINCE, place.fits, place.own)
    short = found.column is not None and (place.facts.length(found.column) or 99) <= _CODE_LENGTH
    return or_asked(found, place.alias, place.facts, todo, check="" if short else "codes such as 'UT', not names")


def _country(place: Place, around: Neighbourhood, joins: Joins) -> Leaf:
    todo = _ASKED["countryCode"]
    link = _named(place, around, "country")
    if link is not None:
        own = link.key.columns[0]
        if place.facts.text(own) and (place.facts.length(own) or 99) <= 2:
            return Leaf(column(place.alias, place.facts, own))
        return _code(place, link, "country", joins, todo)
    found = pick(place.facts, _COUNTRY, place.fits, place.own)
    if found.column is not None:
        length = place.facts.length(found.column)
        coded = len(words(found.column)) > 1 and bool({"key", "iso"} & concepts(found.column))
        if (length is None and coded) or length == 2:
            return Leaf(column(place.alias, place.facts, found.column))
        return asked(Found(None, (found.column,)), todo)
    return asked(found, todo)


def _named(place: Place, around: Neighbourhood, concept: str) -> Link | None:
    """The table of countries, or of provinces, that the address names."""
    links = [
        link
        for link in around.referred(place.facts)
        if _known(around.means(link.table)) in ({concept}, {concept, "country"})
        and len(link.key.columns) == 1
        and (not place.only or link.key.columns[0] in place.only)
    ]
    return links[0] if len(links) == 1 else None


def _known(meaning: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in meaning if not word.endswith("?"))


def _code(place: Place, link: Link, kind: str, joins: Joins, todo: str) -> Leaf:
    """The code of a country or province in a table of theirs: of two letters, where the type says so."""
    own = f"{kind} country"
    found = pick(link.table, _CODES, lambda facts, name: text(facts, name) and (facts.length(name) or 2) <= 10, own)
    if found.column is None or (kind == "country" and (link.table.length(found.column) or 2) > _CODE_LENGTH * 3):
        return asked(found, todo)
    alias = joins.add(link.key, (place.alias, place.facts), (f"{place.alias}_{kind}", link.table))
    check = "" if (link.table.length(found.column) or 99) <= 2 else "codes of two letters" if kind == "country" else ""
    return Leaf(column(alias, link.table, found.column), check=check)


def names(alias: str, facts: TableFacts, place: Place | None = None) -> tuple[Leaf | None, Leaf | None]:
    """First and last name, as far as a table has both apart."""
    fits = text if place is None else place.fits
    given = pick(facts, rules("given", "given name", "name given"), fits, _OF_PERSON).column
    family = pick(facts, rules("family", "family name", "name family"), fits, _OF_PERSON).column
    plain = pick(facts, rules("name"), fits, _OF_PERSON).column
    if given and not family and plain and _FAMILY_FIRST & set(words(given)):
        family = plain
    if family and not given and plain and _FOREIGN_GIVEN & set(words(plain)):
        given = plain
    if not given or not family:
        return None, None
    return Leaf(column(alias, facts, given)), Leaf(column(alias, facts, family))


def customer(around: Neighbourhood, order: TableFacts, place: Place | None, joins: Joins) -> Part:
    """Who bought. What the order says itself goes before the customer's account, which may change; an account that an
    order need not have is filled in from the address."""
    link = around.customer(order)
    alias = joins.add(link.key, ("o", order), ("c", link.table)) if link is not None else "o"
    table = link.table if link is not None else order
    optional = link is not None and not all(order.columns[name].not_null for name in link.key.columns)
    given, family = names(alias, table)
    if place is not None and (given is None or optional):
        others = names(place.alias, place.facts, place)
        given, family = _either(given, others[0]), _either(family, others[1])
    whole = having(table, "name") if given is None else []
    todo = f"; {', '.join(whole)} may hold both" if whole else ""
    phone = pick(table, rules("phone", "phone number"), text, _OF_PERSON).column
    fields = [
        *((("id", Leaf(id_text(alias, table, table.table.primary_key))),) if link is not None else ()),
        ("email", _email(order, link)),
        ("firstName", given or Leaf(todo=f"first name{todo}")),
        ("lastName", family or Leaf(todo=f"last name{todo}")),
        *((("phone", Leaf(column(alias, table, phone))),) if phone else ()),
    ]
    return Part(tuple(fields))


def _either(one: Leaf | None, other: Leaf | None) -> Leaf | None:
    if one is None or other is None:
        return one or other
    return Leaf(f"coalesce(nullif({one.sql}, ''), {other.sql})")


def _email(order: TableFacts, link: Link | None) -> Leaf:
    wanted = rules("email", "email address", "email customer", "email title")
    todo = "the shopper's e-mail address"
    own = pick(order, wanted, text, "order customer header bill address")
    if own.column or own.rivals:
        return or_asked(own, "o", order, todo)
    if link is None:
        return asked(own, todo)
    found = pick(link.table, wanted, text, _OF_PERSON)
    guest = pick(order, rules("guest email", "guest email address"), text, "order").column
    if found.column and guest:
        account = column("c", link.table, found.column)
        return Leaf(f"coalesce(nullif({account}, ''), {column('o', order, guest)})")
    return or_asked(found, "c", link.table, todo)
