"""The mapping as scopes and sources: plain data, and what each kind of scope lets pass.

A *scope* is one SELECT, or one set operation, as it stands in one place (a CTE that is read twice makes two). A
*source* is one item of its FROM: a base table's *use*, a derived table (CTE, view) with the scope inside, or a
function; the sources of a set operation are its branches. A *node* is one column of one source. Built by `resolve`,
asked by `equivalence`, `key`, `search` and `restriction`. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlglot import exp

from connector.model.changes import TableName
from connector.projection.catalog.columns import Column, computed
from connector.projection.catalog.tables import Table


@dataclass(frozen=True, slots=True)
class Computed:
    """An immutable expression over columns of one source, which a condition compares. `sql`: `{0}`, `{1}`, ... stand
    for `keys`. `result`: its type's name in pg_catalog. `strict`: NULL where one of the columns is."""

    keys: tuple[str | int, ...]
    sql: str
    result: str
    strict: bool = True


Key: TypeAlias = "str | int | Computed"
"""A base column's name, the position of a derived table's output, or an expression over some of either."""


@dataclass(eq=False, slots=True)
class Region:
    """The side of an outer join that may be filled with NULLs, within another one or directly in the scope."""

    parent: Region | None


@dataclass(eq=False, slots=True, repr=False)
class Source:
    """`columns`: visible name to a base column's name or to the position of the inner scope's output.
    `open`: may have columns that we don't know (functions). `computed`: the expressions over its columns that some
    condition compares.
    `work_table`: the recursive CTE whose rows of the round before this source reads. `only`: without the tables that
    inherit. `unqualified_at`: where a table or view is named in the mapping without its schema."""

    alias: str
    scope: Scope
    at: int
    region: Region | None = None
    table: Table | None = None
    inner: Scope | None = None
    columns: dict[str, str | int] = field(default_factory=dict)
    open: bool = False
    computed: set[Computed] = field(default_factory=set)
    work_table: Scope | None = None
    only: bool = False
    unqualified_at: int | None = None

    def visible(self, key: Key) -> str:
        """The name by which the scope around calls a column."""
        return next(name for name, found in self.columns.items() if found == key)


Node: TypeAlias = tuple[Source, Key]
"""A column of a source."""


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
    """One output column. `node` when it is a source's column and nothing else, `expression` when it is written out.
    `unknown`: stands for any number of columns. `branches`: of a set operation, the column in each branch whose values
    this one passes on unchanged; empty when some branch changes it."""

    name: str | None
    expression: exp.Expr | None = None
    node: Node | None = None
    branches: tuple[Node, ...] = ()
    unknown: bool = False

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The columns that this one is."""
        return self.branches if self.node is None else (self.node,)


@dataclass(eq=False, slots=True, repr=False)
class Scope:
    """`holder`: the source through which the scope around reads this one; None at the top and in expressions that are
    no IN. `references`: what the column at this identity in the tree means. `grouping`: the GROUP BY columns, None
    without GROUP BY. `whole_rows`: sources read as a whole (`o.*`, `to_jsonb(o)`). `alternatives`: a set operation: a
    row comes from one of the sources, not from all; `recursive` when the last reads what the others gave. `view`: the
    view that this text belongs to. `not_null`: columns that WHERE says are not NULL. `shuffled`: a star over USING
    columns, whose order is not known. `self_join`: a second reading of the scope around, see `resolve`; `coupled`:
    has some.
    """

    select: exp.Query
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
    alternatives: bool = False
    recursive: bool = False
    view: TableName | None = None
    not_null: set[Node] = field(default_factory=set)
    shuffled: bool = False
    self_join: bool = False
    coupled: bool = False

    def within(self, other: Scope) -> bool:
        """True when this scope is `other` or lies inside it."""
        around: Scope | None = self
        while around is not None and around is not other:
            around = around.parent
        return around is other

    @property
    def in_order(self) -> bool:
        """True when the outputs stand where the server has them."""
        return not self.shuffled and not any(output.unknown for output in self.outputs)

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

    def leaves(self) -> Iterator[Scope]:
        """The SELECTs that give this scope's rows: itself, or the branches of its set operations."""
        if not self.alternatives:
            yield self
            return
        for source in self.sources:
            if source.inner is not None:
                yield from source.inner.leaves()

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
        if self.alternatives:
            return any(source.inner is None or source.inner.may_be_empty() for source in self.sources)
        if self.grouping is not None:
            return self.opaque_grouping
        if any(output.node is not None and output.node[0].scope is self for output in self.outputs):
            return False
        written = [output.expression for output in self.outputs if output.expression is not None]
        calls = (found for expression in written for found in expression.find_all(exp.Func))
        return self.select.args.get("having") is not None or any(not isinstance(c, exp.Connector) for c in calls)


def column_of(node: Node) -> Column | None:
    """The base column at the bottom of a node, through derived tables that pass it on; None when there is none."""
    source, key = node
    if isinstance(key, Computed):
        parts = [column for part in key.keys if (column := column_of((source, part))) is not None]
        return computed(parts, key.sql, key.result) if len(parts) == len(key.keys) else None
    while source.table is None:
        below = _one_below(source, int(key))
        if below is None:
            return None
        source, found = below
        if isinstance(found, Computed):
            return None
        key = found
    return source.table.columns[str(key)]


def _one_below(source: Source, number: int) -> Node | None:
    """The column of a derived table in the scope inside; of a set operation's, that of its first branch."""
    if source.work_table is not None:
        return source.work_table.sources[0], number
    if source.inner is None or number >= len(source.inner.outputs):
        return None
    return next(iter(source.inner.outputs[number].nodes), None)


def surely_there(node: Node) -> bool:
    """True when the column is never NULL on a row of its scope."""
    source, key = node
    if isinstance(key, Computed):
        return key.strict and all(surely_there((source, part)) for part in key.keys)
    scope = source.scope
    if any(node in (condition.left, condition.right) for condition in scope.conditions if not condition.guard):
        return True
    if source.region is not None:
        return False
    if node in scope.not_null:
        return True
    if source.table is not None:
        return source.table.columns[str(key)].not_null
    if source.inner is None:
        return False
    below = source.inner.outputs[int(key)].nodes
    return bool(below) and all(surely_there(found) for found in below)


def below(source: Source, key: Computed) -> Iterator[Node]:
    """The same expression in the scopes inside of a derived table: one for each branch of a set operation. Only where
    all of its columns are columns of one source there."""
    outputs = [source.inner.outputs[int(str(part))] for part in key.keys] if source.inner is not None else []
    for nodes in zip(*(output.nodes for output in outputs), strict=False):
        inner, keys = nodes[0][0], tuple(part for _, part in nodes if not isinstance(part, Computed))
        if len(keys) == len(nodes) and all(other is inner for other, _ in nodes):
            yield inner, replace(key, keys=keys)
