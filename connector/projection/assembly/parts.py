"""The mapping's CTEs and subqueries, each as a query that can be run apart from the rest.

For finding which of them fails when every order does, and for which order's row. Built as the mapping is analysed; run
by `diagnosis`. No I/O.
"""

# ruff: noqa: S608  the mapping is the operator's SQL, names come quoted from the catalog

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.postgres.quoting import quoted
from connector.projection.analysis.scopes import Scope
from connector.projection.assembly.restriction import RESERVED, key_columns, pushed_places
from connector.projection.routes.key import KeyUse
from connector.projection.sql.layout import Subquery
from connector.projection.sql.mapping import Edit, Mapping

_PART = RESERVED + "part"


@dataclass(frozen=True, slots=True)
class Part:
    """`title`: it and its place, for people. `statement` computes every column of every row of it, and answers with one
    row. `ranged`: the same for orders in a range of keys only (see `in_range`), `alone`: for one key; None and empty
    where its rows belong to no order. `apart`: whether it is restricted to the asked orders when orders are read, so
    that it fails for them alone."""

    title: str
    statement: str
    ranged: str | None
    alone: str
    restricted: bool


def in_range(columns: Sequence[str], types: Sequence[str]) -> str:
    """The condition that a key is in a range, for parameters: whether it has no lower bound, whether it has no upper
    one, the lower bound, and the upper one, which is not in it."""
    width, names = len(columns), ", ".join(columns)
    low = ", ".join(f"${number + 3}::{kind}" for number, kind in enumerate(types))
    high = ", ".join(f"${number + 3 + width}::{kind}" for number, kind in enumerate(types))
    return f"($1::bool OR ({names}) >= ({low})) AND ($2::bool OR ({names}) < ({high}))"


def parts_of(mapping: Mapping, top: Scope, keys: Sequence[KeyUse]) -> tuple[Part, ...]:
    """Those that can be run apart, in the order in which they depend on each other, except that those come last which
    are read for the asked orders only."""
    pushed = pushed_places(top, keys)
    parts = [
        _part(mapping, query, inner, keys, pushed)
        for query in mapping.subqueries()
        if (inner := _inside(top, query)) is not None and not _correlated(inner)
    ]
    return tuple(sorted(parts, key=lambda part: part.restricted))


def _inside(top: Scope, query: Subquery) -> Scope | None:
    """The scope of a query in parentheses."""
    return next((scope for scope in top.all_scopes() if scope.view is None and query.holds(scope.at)), None)


def _correlated(root: Scope) -> bool:
    """Whether something in it is a column of the query around it."""
    return any(not node[0].scope.within(root) for scope in root.all_scopes() for node in scope.references.values())


def _part(mapping: Mapping, query: Subquery, inner: Scope, keys: Sequence[KeyUse], pushed: Sequence[int]) -> Part:
    kind = f"the CTE {query.name}" if query.name else "the subquery"
    ranged, alone, types = None, "", [column.asked_as for column in keys[0].columns]
    for place, columns in key_columns(inner, keys):
        same = " AND ".join(
            f"{column} = ${n}::{kind}" for n, (column, kind) in enumerate(zip(columns, types, strict=True), 1)
        )
        ranged, alone = (
            _whole(mapping, query, mapping.restriction(place, condition))
            for condition in (in_range(columns, types), same)
        )
        break
    return Part(
        f"{kind} ({mapping.where(query.at)})",
        _whole(mapping, query),
        ranged,
        alone,
        any(query.holds(place) for place in pushed),
    )


def _whole(mapping: Mapping, query: Subquery, edits: Sequence[Edit] = ()) -> str:
    """A query for all of the query: `count(*)` alone would leave its columns uncomputed."""
    source = quoted(query.name) if query.name else f"(\n{mapping.piece(query.start, query.end, edits)}\n)"
    before = mapping.piece(0, query.ctes_end, edits) if query.ctes_end else ""
    return f"{before} SELECT sum(length({_PART}::text)) FROM {source} AS {_PART}"
