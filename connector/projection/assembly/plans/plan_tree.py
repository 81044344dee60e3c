"""A plan as EXPLAIN (FORMAT JSON, VERBOSE) gives it: the tables that it reads whole, and the conditions around each.

Knows Postgres's plans; must not know what was planned, nor how large a table is. No I/O.
Source: https://www.postgresql.org/docs/current/using-explain.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from connector.model.changes import TableName
from connector.postgres.quoting import quoted
from connector.projection.assembly.plans.conditions import Condition, Term, conjuncts, sought

Node: TypeAlias = Mapping[str, Any]

_SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")
_BITMAPS = ("Bitmap Index Scan", "BitmapAnd", "BitmapOr")
_JOINS = ("Nested Loop", "Hash Join", "Merge Join")
_JOIN_CONDITIONS = ("Join Filter", "Hash Cond", "Merge Cond")
_KEPT_CHILD = {"Left": "Outer", "Anti": "Outer", "Semi": "Outer", "Right": "Inner", "Right Anti": "Inner"}
"""Of a join of this type, the child of which no row is sought by the other's."""
_BARRIERS = ("Aggregate", "WindowAgg", "Limit", "Unique", "SetOp", "Recursive Union", "Subquery Scan")
"""What is asked above these says nothing of which rows are read below."""
_READ_ONCE = ("Materialize", "Memoize", "Hash", "CTE Scan")


@dataclass(frozen=True, slots=True)
class Scan:
    """One reading of a table. `index`: by which it is read; `sought`: columns of the index that values are sought in,
    `entered`: those of them in which the values are no constants of the query. `times`: how often, about. `own`,
    `joins`, `beside`: conditions of the node itself, of the joins around it, and by which other tables are sought in
    these joins. `cte`: the WITH query that it is a part of. `led`: values lead to its rows, whatever the plan says."""

    table: TableName
    alias: str
    index: str | None
    sought: frozenset[str]
    entered: frozenset[str]
    cost: float
    times: float
    own: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    cte: str | None = None
    led: bool = False

    def of_partial(self, predicate: str | None) -> Scan:
        """With the predicate of its index among its own conditions, where the planner leaves out what that implies."""
        met = [each.with_columns(lambda _, name: f"{self.alias}.{quoted(name)}") for each in conjuncts(predicate or "")]
        return replace(self, own=(*self.own, *met))

    def is_led(self) -> bool:
        """Rows of another table, or parameters, say which of its rows are wanted."""
        return self.led or any(each.entering(self.alias) for text in self.own for each in conjuncts(text))

    def terms(self) -> tuple[Term, ...]:
        """By what it would be entered if an index were there: what is nearest says it best."""
        for texts in (self.own, self.joins, self.beside):
            conditions = [each for text in texts for each in conjuncts(text)]
            if terms := sought(conditions, self.alias):
                return terms
        return ()

    def constants(self) -> tuple[str, ...]:
        """Conditions on this table alone that all wanted rows meet, as SQL without the alias."""
        return tuple(dict.fromkeys(_without_alias(each) for each in self._constants() if not each.is_presence()))

    def in_order_of(self, term: Term) -> str:
        """A query for all rows that meet the constants, and can equal something, in the order of a term."""
        met = " AND ".join(
            f"({text})" for text in (f"{term.text} IS NOT NULL", *map(_without_alias, self._constants()))
        )
        return f"SELECT 1 FROM {quoted(self.table.schema, self.table.name)} WHERE {met} ORDER BY {term.text}"  # noqa: S608

    def _constants(self) -> list[Condition]:
        return [each for text in self.own for each in conjuncts(text) if each.is_constant(self.alias)]


def _without_alias(condition: Condition) -> str:
    return condition.with_columns(lambda _, name: quoted(name))


@dataclass(frozen=True, slots=True)
class _Around:
    times: float = 1.0
    joins: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    cte: str | None = None


def scans(plan: Node) -> list[Scan]:
    """Every reading of a table in a plan."""
    return list(_scans(plan, _Around()))


def ctes_read(plan: Node) -> dict[str, int]:
    """The WITH queries that are computed apart from what reads them, and how many places read each."""
    found: dict[str, int] = {}
    for node in nodes(plan):
        if node["Node Type"] == "CTE Scan":
            found[node["CTE Name"]] = found.get(node["CTE Name"], 0) + 1
    return found


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def _scans(node: Node, around: _Around) -> Iterator[Scan]:
    if node["Node Type"] in _SCANS:
        yield _scan(node, around)
    for child in node.get("Plans", ()):
        if child["Node Type"] not in _BITMAPS:
            yield from _scans(child, _below(node, child, around))


def _scan(node: Node, around: _Around) -> Scan:
    index, sought, entered = _reading(node, node["Alias"])
    own = tuple(node[name] for name in ("Filter", "Recheck Cond", "Index Cond") if name in node)
    table = TableName(node["Schema"], node["Relation Name"])
    place = (around.times, own, around.joins, around.beside, around.cte)
    return Scan(table, node["Alias"], index, sought, entered, float(node["Total Cost"]), *place)


def _reading(node: Node, alias: str) -> tuple[str | None, frozenset[str], frozenset[str]]:
    """The index that a node reads by, and the columns that are sought in it and entered by: of several at once the one
    that decides how much is read."""
    if "Index Name" in node:
        # In the condition of a bitmap's index columns have no alias.
        conditions = list(conjuncts(node.get("Index Cond", "")))
        variable = [each for each in conditions if each.has_parameter or each.aliases - {alias}]
        sought, entered = (
            frozenset(name for each in some for name in each.columns_of(alias)) for some in (conditions, variable)
        )
        return node["Index Name"], sought, entered
    found = [_reading(child, alias) for child in node.get("Plans", ()) if child["Node Type"] in _BITMAPS]
    least = node["Node Type"] == "BitmapAnd"
    none = (None, frozenset[str](), frozenset[str]())
    return next((each for each in found if bool(each[1]) is least), found[0]) if found else none


def _below(node: Node, child: Node, around: _Around) -> _Around:
    relation = child.get("Parent Relationship")
    if relation in ("InitPlan", "SubPlan"):
        name = str(child.get("Subplan Name", ""))
        if name.startswith("CTE "):
            return _Around(cte=name.removeprefix("CTE "))
        often = max(1.0, node["Plan Rows"]) if relation == "SubPlan" else 1.0
        return _Around(around.times * often, cte=around.cte)
    if node["Node Type"] in _BARRIERS:
        return replace(around, joins=(), beside=())
    if node["Node Type"] in _JOINS:
        return _in_join(node, child, around)
    return around


def _in_join(node: Node, child: Node, around: _Around) -> _Around:
    other = next(each for each in node["Plans"] if each is not child)
    side, kind = child.get("Parent Relationship"), node.get("Join Type", "Inner")
    times = around.times
    if node["Node Type"] == "Nested Loop" and side == "Inner" and child["Node Type"] not in _READ_ONCE:
        times *= max(1.0, other["Plan Rows"])
    if kind == "Full" or _KEPT_CHILD.get(kind) == side:
        return replace(around, times=times)
    joins = tuple(node[name] for name in _JOIN_CONDITIONS if name in node)
    beside = tuple(each["Index Cond"] for each in nodes(other) if "Index Cond" in each) if kind == "Inner" else ()
    return replace(around, times=times, joins=(*joins, *around.joins), beside=(*beside, *around.beside))
