"""The mapping as scopes and sources: plain data, and what each kind of scope lets pass.

A *scope* is one SELECT, or one set operation, as it stands in one place (a CTE that is read twice makes two). A
*source* is one item of its FROM: a base table's *use*, a derived table (CTE, view) with the scope inside, or a
function; the sources of a set operation are its branches. A *node* is one column of one source. Built by `resolve`,
asked by `equivalence`, `key`, `search` and `restriction`. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from connector.model.changes import TableName
from connector.projection.catalog.column_filters import FilterKind
from connector.projection.catalog.tables import Table


@dataclass(frozen=True, slots=True)
class Computed:
    """An immutable expression over columns of one source, which a condition compares. `sql`: `{0}`, `{1}`, ... stand
    for `keys`. `result`: its type's name in pg_catalog. `strict`: NULL where one of the columns is.
    `indexable`: there may be an index on it that makes none of the OMS's own writes fail."""

    keys: tuple[str | int, ...]
    sql: str
    result: str
    strict: bool = True
    indexable: bool = True


Key: TypeAlias = "str | int | Computed"
"""A base column's name, the position of a derived table's output, or an expression over some of either."""


@dataclass(eq=False, slots=True)
class Region:
    """The side of an outer join that may be filled with NULLs, within another one or directly in the scope."""

    parent: Region | None


def is_matched(region: Region | None, matched: Iterable[Region]) -> bool:
    """True when a source in the region is there where these regions are matched, and with them those around them."""
    around: set[Region | None] = {None}
    for inner in matched:
        outer: Region | None = inner
        while outer is not None:
            around.add(outer)
            outer = outer.parent
    return region in around


@dataclass(frozen=True, slots=True)
class Element:
    """What a row of a source is one element of, if it is one. Two of the same array needn't be equal, so each mention
    of an array makes a source. `kind`: see `elements.element`."""

    array: Node
    kind: str


@dataclass(eq=False, slots=True, repr=False)
class Source:
    """`columns`: visible name to a base column's name or to the position of the inner scope's output.
    `open`: may have columns that we don't know (functions). `computed`: the expressions over its columns that some
    condition compares. `element`: column 0 is an element of an array; `elements`: sources of elements of its own
    arrays, each with the array.
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
    element: Element | None = None
    elements: list[tuple[Source, Key]] = field(default_factory=list)
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


@dataclass(eq=False, slots=True)
class Filter:
    """A constant condition on a column, on every row in which all of the guard's regions are matched. `texts`: what it
    is among, see `ColumnFilter`."""

    node: Node
    kind: FilterKind
    texts: tuple[str, ...]
    guard: tuple[Region, ...]

    @property
    def strict(self) -> bool:
        """It is never true for NULL."""
        return self.kind != "null"

    @property
    def never_filled(self) -> bool:
        """The column's row is there wherever the condition is asked, rather than filled with NULLs."""
        return is_matched(self.node[0].region, self.guard)


@dataclass(eq=False, slots=True)
class Alternative:
    """One way in which a row comes about: with what `facts` state, or, in a set operation, from `branch`."""

    facts: Sequence[Fact] = ()
    branch: Source | None = None


@dataclass(eq=False, slots=True)
class Choice:
    """One of the alternatives, at least, holds on every row in which all of the guard's regions are matched. What they
    state has the same guard."""

    alternatives: Sequence[Alternative]
    guard: tuple[Region, ...] = ()


@dataclass(eq=False, slots=True)
class Inequality:
    """`lower < upper` (`<=` unless `strict`), or the `nullable` of them is NULL, where all of the guard is matched."""

    lower: Node
    upper: Node
    strict: bool
    nullable: Node | None
    guard: tuple[Region, ...]


Fact: TypeAlias = Condition | Implied | Filter | Choice | Inequality
"""What a condition in ON or WHERE states."""


@dataclass(slots=True)
class Output:
    """One output column. `node` when it is a source's column and nothing else, `expression` when it is written out.
    `same`: where neither `node` nor `branches` says so, the columns or expressions over columns that this one equals.
    `picked`: the column of which it is the value in one of the rows that are put together (max, min).
    `unknown`: stands for any number of columns. `branches`: of a set operation, the column in each branch whose values
    this one passes on unchanged; empty when some branch changes it. `moving`: those of a recursive CTE whose rounds
    give values of their own."""

    name: str | None
    expression: exp.Expr | None = None
    node: Node | None = None
    branches: tuple[Node, ...] = ()
    moving: tuple[Node, ...] = ()
    unknown: bool = False
    same: tuple[Node, ...] = ()
    picked: Node | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The columns that this one is."""
        return self.branches if self.node is None else (self.node,)

    @property
    def column(self) -> Node | None:
        """The column that this one is, also under a cast that keeps its value."""
        alone = self.same[0] if len(self.same) == 1 and not isinstance(self.same[0][1], Computed) else None
        return self.node or alone

    @property
    def values(self) -> tuple[Node, ...]:
        """The columns, or expressions over columns, that this one equals; of a set operation, one in each branch."""
        return self.nodes or self.same


@dataclass(eq=False, slots=True, repr=False)
class Scope:
    """`holder`: the source through which the scope around reads this one; None at the top and in expressions that are
    no IN. `references`: what the column at this identity in the tree means. `grouping`: the GROUP BY columns, None
    without GROUP BY. `whole_rows`: sources read as a whole (`o.*`, `to_jsonb(o)`). `alternatives`: a set operation: a
    row comes from one of the sources, not from all; `recursive` when the last reads what the others gave. `view`: the
    view that this text belongs to. `overloaded`: see `Functions`. `shuffled`: a star over USING columns, whose order is
    not known. `self_join`: a second reading of the scope around, see `resolve`; `coupled`: has some. `late`: it stands
    in an output or in HAVING, which are computed when rows have been grouped."""

    select: exp.Query
    parent: Scope | None
    at: int
    holder: Source | None = None
    sources: list[Source] = field(default_factory=list)
    holders: list[Source] = field(default_factory=list)
    children: list[Scope] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    more_facts: list[Implied | Choice | Inequality] = field(default_factory=list)
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
    overloaded: frozenset[str] = frozenset()
    shuffled: bool = False
    self_join: bool = False
    coupled: bool = False
    late: bool = False

    def state(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Condition):
                self.conditions.append(fact)
            elif isinstance(fact, Filter):
                self.filters.append(fact)
            else:
                self.more_facts.append(fact)

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
            yield from (source for source in scope.sources if source.table is not None)

    def leaves(self) -> Iterator[Scope]:
        """The SELECTs that give this scope's rows: itself, or the branches of its set operations."""
        if not self.alternatives:
            yield self
            return
        for source in self.sources:
            if source.inner is not None:
                yield from source.inner.leaves()

    def may_be_empty(self) -> bool:
        """True when the scope may give a row without having read any (an aggregate without GROUP BY)."""
        if self.alternatives:
            return any(source.inner is None or source.inner.may_be_empty() for source in self.sources)
        if self.grouping is not None:
            return self.opaque_grouping
        if any(output.node is not None and output.node[0].scope is self for output in self.outputs):
            return False
        # An aggregate may stand in ORDER BY or DISTINCT ON alone.
        others = [self.select.args.get(part) for part in ("order", "distinct")]
        written = [each for each in (*(output.expression for output in self.outputs), *others) if each is not None]
        calls = (found for expression in written for found in expression.find_all(exp.Func))
        return self.select.args.get("having") is not None or any(not isinstance(c, exp.Connector) for c in calls)
