"""The mapping as scopes and sources: plain data, and what each kind of scope lets pass.

A *scope* is one SELECT as it stands in one place (a CTE that is read twice makes two). A *source* is one item of its
FROM: a base table's *use*, a derived table (or CTE) with the scope inside, or a function. A *node* is one column of one
source. Built by `resolve`, asked by `influence`, `key`, `routes` and `restriction`. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from connector.projection.catalog import Column, Table


@dataclass(eq=False, slots=True)
class Region:
    """The side of an outer join that may be filled with NULLs, within another one or directly in the scope."""

    parent: Region | None


@dataclass(eq=False, slots=True)
class Source:
    """`columns`: visible name to a base column's name or to the position of the inner scope's output.
    `open`: may have columns that we don't know (functions)."""

    alias: str
    scope: Scope
    at: int
    region: Region | None = None
    table: Table | None = None
    inner: Scope | None = None
    columns: dict[str, str | int] = field(default_factory=dict)
    open: bool = False

    def visible(self, key: str | int) -> str:
        """The name by which the scope around calls a column."""
        return next(name for name, found in self.columns.items() if found == key)


Node: TypeAlias = tuple[Source, "str | int"]
"""A column of a source: a base column's name, or the position of a derived table's output."""


@dataclass(eq=False, slots=True)
class Condition:
    """`left = right` on every row in which all of the guard's regions are matched (rather than filled with NULLs)."""

    left: Node
    right: Node
    guard: tuple[Region, ...]


@dataclass(eq=False, slots=True)
class Implied:
    """A subquery (EXISTS, IN) of which a row exists for every row of the scope around it, under the guard."""

    scope: Scope
    guard: tuple[Region, ...]


@dataclass(slots=True)
class Output:
    """One output column. `node` when it is a source's column and nothing else, `expression` when it is written out."""

    name: str | None
    expression: exp.Expr | None = None
    node: Node | None = None


@dataclass(eq=False, slots=True)
class Scope:
    """`holder`: the source through which the scope around reads this one; None at the top and in expressions that are
    no IN. `references`: what the column at this identity in the tree means. `grouping`: the GROUP BY columns, None
    without GROUP BY. `whole_rows`: sources read as a whole (`o.*`, `to_jsonb(o)`)."""

    select: exp.Select
    parent: Scope | None
    at: int
    holder: Source | None = None
    sources: list[Source] = field(default_factory=list)
    holders: list[Source] = field(default_factory=list)
    children: list[Scope] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    implied: list[Implied] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    references: dict[int, Node] = field(default_factory=dict)
    whole_rows: set[Source] = field(default_factory=set)
    grouping: frozenset[Node] | None = None
    opaque_grouping: bool = False
    partitions: list[tuple[frozenset[Node], int]] = field(default_factory=list)
    limited: bool = False
    distinct: bool = False
    distinct_on: frozenset[Node] | None = None
    is_cte: bool = False

    def within(self, other: Scope) -> bool:
        """True when this scope is `other` or lies inside it."""
        around: Scope | None = self
        while around is not None and around is not other:
            around = around.parent
        return around is other

    def all_scopes(self) -> Iterator[Scope]:
        yield self
        for child in self.children:
            yield from child.all_scopes()

    def uses(self) -> Iterator[Source]:
        """Every use of a base table, in and below this scope."""
        for scope in self.all_scopes():
            for source in scope.sources:
                if source.table is not None:
                    yield source

    def why_coupled(self, node: Node) -> tuple[str, int] | None:
        """Why rows with one value of the column may depend on rows with another, with the place; None when they don't.

        A LIMIT counts rows of all values. A window does unless it is partitioned by the column. Of a grouped scope
        Postgres lets out only columns that are constant in a group, so groups keep the values apart.
        """
        if self.limited:
            return "LIMIT, OFFSET or FETCH counts rows of all orders", self.at
        if self.opaque_grouping:
            return "grouping sets put rows of all orders together", self.at
        if self.distinct_on is not None and node not in self.distinct_on:
            return "DISTINCT ON does not name the column", self.at
        for partition, at in self.partitions:
            if node not in partition:
                return "a window function is not partitioned by the column", at
        return None

    def may_be_empty(self) -> bool:
        """True when the scope may give a row without having read any (an aggregate without GROUP BY)."""
        if self.grouping is not None:
            return self.opaque_grouping
        if any(output.node is not None and output.node[0].scope is self for output in self.outputs):
            return False
        written = [output.expression for output in self.outputs if output.expression is not None]
        calls = (found for expression in written for found in expression.find_all(exp.Func))
        return self.select.args.get("having") is not None or any(not isinstance(c, exp.Connector) for c in calls)


def column_of(node: Node) -> Column | None:
    """The base column at the bottom of a node, through derived tables that pass it on; None when there is none."""
    found = bottom(node)
    return found[0].table.columns[str(found[1])] if found and found[0].table else None


def bottom(node: Node) -> Node | None:
    source, key = node
    while source.inner is not None:
        output = source.inner.outputs[int(key)]
        if output.node is None:
            return None
        source, key = output.node
    return (source, key) if source.table is not None else None
