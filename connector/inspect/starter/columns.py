"""Which column of a table is meant by a field: only the one that says so, and nothing else, is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from connector.inspect.starter.schema.facts import INTEGERS, MOMENTS, NUMBERS, TableFacts
from connector.inspect.starter.schema.names import concepts, may_mean, words

Rule = frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """The column, or those between which a person must choose."""

    column: str | None = None
    rivals: tuple[str, ...] = ()


def rules(*written: str) -> tuple[Rule, ...]:
    """`"given name"` is the rule for columns that mean exactly that."""
    return tuple(frozenset(one.split()) for one in written)


def means(column: str, own: Iterable[str]) -> frozenset[str]:
    """What a column means in a table of whose kind (`own`) nothing needs to be said. A single letter says nothing."""
    return frozenset(one for one in concepts(column) - frozenset(own) if not (len(one) == 2 and one.endswith("?")))


def having(facts: TableFacts, concept: str) -> list[str]:
    """Columns among whose meanings is this one."""
    return [column for column in facts.columns if concept in concepts(column)]


def pick(facts: TableFacts, wanted: Sequence[Rule], fits: Callable[[TableFacts, str], bool], own: str = "") -> Found:
    """The column of the first rule that any column obeys, by its name, else by its comment; where several do, nobody
    knows."""
    fitting = [column for column in facts.columns if fits(facts, column)]
    commented = {column: facts.comments[column] for column in fitting if column in facts.comments}
    for said in ({column: column for column in fitting}, commented):
        meaning = {column: means(words_, own.split()) for column, words_ in said.items()}
        for rule in wanted:
            found = [column for column in meaning if meaning[column] == rule]
            if found:
                return Found(found[0]) if len(found) == 1 else Found(None, tuple(found))
    return Found()


def text(facts: TableFacts, column: str) -> bool:
    return facts.text(column)


def moment(facts: TableFacts, column: str) -> bool:
    return facts.columns[column].type in (*MOMENTS, "date")


def deleted(facts: TableFacts, alias: str) -> list[str]:
    """The condition that leaves out rows which are only marked as deleted."""
    found = [
        name for name in facts.columns if means(name, ()) in rules("deleted date", "deleted") and moment(facts, name)
    ]
    return [f"{alias}.{facts.quoted[name]} IS NULL" for name in found]


def number(facts: TableFacts, column: str) -> bool:
    return facts.columns[column].type in NUMBERS | INTEGERS


def any_type(facts: TableFacts, column: str) -> bool:
    return column in facts.columns


_MONEY = frozenset({"price", "amount", "net", "tax", "unit", "cents"})


_BEFORE = "undiscounted"
"""Where one amount says so, the others are after discounts."""


def money(facts: TableFacts, subject: Rule, own: str = "", also: Rule = frozenset()) -> Found:
    """The amount before tax of a subject (`price`, `ship freight`): the one that says net, else the only one. Whole
    numbers count only where their name says that they are cents. `also`: what such a name may say besides."""
    rated: list[tuple[int, str]] = []
    gross = unsure = False
    for column in facts.columns:
        meaning = means(column, own.split())
        if not meaning & subject or not number(facts, column):
            continue
        gross = gross or "gross" in meaning
        unsure = unsure or _BEFORE in words(column)
        whole = facts.columns[column].type in INTEGERS and "cents" not in meaning
        if (
            not meaning <= _MONEY | subject | also
            or whole
            or ("tax" in meaning and "net" not in meaning)
            or "line" in words(column)
        ):
            continue
        rated.append((2 * ("net" in meaning) + ("unit" in meaning), column))
    best = max((rate for rate, _ in rated), default=0)
    found = [column for rate, column in rated if rate == best]
    certain = len(found) == 1 and (best >= 2 or not gross) and not unsure
    return Found(found[0]) if certain else Found(None, tuple(column for _, column in rated))


def status(facts: TableFacts) -> str | None:
    """The column that says how far an order is: text, an enum or a letter."""
    found = [
        column
        for column in facts.columns
        if facts.text(column)
        and "status" in may_mean(column)
        and means(column, _STATUS_WORDS) <= frozenset({"province"})
    ]
    return found[0] if len(found) == 1 else None


_STATUS_WORDS = ("order", "status", "key", "header")
