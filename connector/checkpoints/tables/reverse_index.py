"""Which orders a row is part of: child rows of the OMS where the stream can't tell (the reverse index), and line items
by a hash of their ids, so that an id used twice is noticed. Both only read when nothing differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from connector.checkpoints.engine import Session
from connector.model.orders import Members, OrderKey
from connector.pipeline.ports.records import Settlement

STEP: Final = 2_000
"""Rows of given up indexes removed in one transaction (about 5 ms)."""

_PAGES: Final = 4
"""Orders held at a time, in pages, however many the rows lead to."""

_Member: TypeAlias = tuple[int, str, OrderKey]
"""Number of the index, row, order."""


def enroll(session: Session, members: Mapping[OrderKey, Members]) -> None:
    """Add what isn't there yet."""
    wanted = _members(session, members)
    if wanted:
        session.run_rows("member_add", sorted(wanted - _present(session, members)))


def settle(session: Session, settlements: Sequence[Settlement]) -> None:
    """Make the index hold exactly the rows that are given for an order."""
    exact = {one.entry.key: one.members for one in settlements if one.members is not None}
    if not exact:
        return
    wanted, present = _members(session, exact), _present(session, exact)
    session.run_rows("member_remove", sorted(present - wanted))
    session.run_rows("member_add", sorted(wanted - present))


def members(
    rows: Iterable[tuple[int, str, OrderKey]], indexes: Iterable[tuple[str, int]]
) -> Mapping[OrderKey, Members]:
    """Rows of the table, and the names of its parts, by order."""
    names = {number: name for name, number in indexes}
    found: dict[OrderKey, dict[str, set[str]]] = {}
    for number, row, key in rows:
        if number in names:  # else it was given up
            found.setdefault(key, {}).setdefault(names[number], set()).add(row)
    return {key: {name: frozenset(rows) for name, rows in parts.items()} for key, parts in found.items()}


def enrolled(session: Session, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
    """The first `limit` orders of any of the rows after a key."""
    found: set[OrderKey] = set()
    asked = ((row,) for row in rows)
    for (key,) in session.rows_of("member_orders", asked, name=index, after=after or "", limit=limit):
        found.add(key)
        if len(found) > _PAGES * limit:
            found = set(sorted(found)[:limit])
    return sorted(found)[:limit]


def sweep_retired(session: Session, limit: int) -> bool:
    """Remove up to `limit` rows of what was given up. False when nothing is left to do."""
    number = session.value("member_index_retired")
    if number is None:
        return False
    if session.changed("member_empty", id=number, limit=limit) < limit:
        session.run("member_index_drop", id=number)
    return True


def settle_line_items(session: Session, settlements: Sequence[Settlement]) -> None:
    """Exactly the given line items for an order; none for one that is forgotten."""
    exact = {
        one.entry.key: frozenset() if one.forget or one.line_items is None else one.line_items
        for one in settlements
        if one.forget or one.line_items is not None
    }
    if not exact:
        return
    wanted = {(line, key) for key, lines in exact.items() for line in lines}
    present = set(session.rows("line_item_of", keys=[*exact]))
    session.run_rows("line_item_remove", sorted(present - wanted))
    session.run_rows("line_item_add", sorted(wanted - present))


def line_item_owners(session: Session, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
    """The first two orders of each line item that any has."""
    found: dict[int, tuple[OrderKey, ...]] = {}
    for line, key in session.rows_of("line_item_owners", [(line,) for line in sorted(set(line_items))]):
        found[line] = tuple(sorted((*found.get(line, ()), key)))
    return found


def _present(session: Session, keys: Iterable[OrderKey]) -> set[_Member]:
    return set(session.rows("member_of", keys=[*keys]))


def _members(session: Session, members: Mapping[OrderKey, Members]) -> set[_Member]:
    """Numbering parts of the index that had no number."""
    names = {name for parts in members.values() for name in parts}
    numbers = dict(session.rows("member_indexes")) if names else {}
    if new := sorted(names - numbers.keys()):
        session.run_rows("member_index_add", [(name,) for name in new])
        numbers = dict(session.rows("member_indexes"))
    return {(numbers[name], row, key) for key, parts in members.items() for name, rows in parts.items() for row in rows}
