"""Where a name is looked up: the sources of one level of a query, the levels around it, and the port through which the
readers of a SELECT's clauses have the queries nested in it resolved. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from connector.model.changes import TableName
from connector.projection.analysis.scopes import Choice, Fact, Node, Region, Scope, Source
from connector.projection.catalog.tables import Catalog, View


@dataclass(eq=False, slots=True)
class Group:
    """A chain of joins: its sources, columns merged by USING (None: a merged column that is no plain one)."""

    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Node | None] = field(default_factory=dict)
    regions: list[Region] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def enclose(self, region: Region, context: Region | None) -> None:
        """Put everything that lies directly in `context` into a region of it."""
        for source in self.sources:
            if source.region is context:
                source.region = region
        for inner in self.regions:
            if inner.parent is context:
                inner.parent = region
        before = (context,) if context else ()
        for fact in _all(self.facts):
            if fact.guard == before:
                fact.guard = (region,)
        self.regions.append(region)


def _all(facts: Iterable[Fact]) -> Iterator[Fact]:
    """These, and those in the alternatives of choices."""
    for fact in facts:
        yield fact
        for alternative in fact.alternatives if isinstance(fact, Choice) else ():
            yield from _all(alternative.facts)


@dataclass(frozen=True, slots=True)
class Env:
    """The names that an expression sees: those of its own level, then of the levels around it."""

    groups: Sequence[Group]
    parent: Env | None


@dataclass(frozen=True, slots=True)
class Cte:
    """A CTE, and what its own text sees. `around`: it is read within itself, in this scope; `later`: it is named before
    it comes."""

    node: exp.CTE
    env: Env | None
    ctes: dict[str, Cte]
    recursive: bool = False
    later: bool = False
    around: Scope | None = None


class Resolver(Protocol):
    """What the readers of a SELECT's clauses ask for, satisfied by `resolve`. `swept`: tables that need no route;
    `read_ctes`: identities of the CTEs that some FROM names."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def swept(self) -> Set[TableName]: ...

    @property
    def read_ctes(self) -> set[int]: ...

    def note(self, what: str, at: exp.Expr, hint: str = "") -> None:
        """Report a problem."""

    def at(self, node: exp.Expr) -> int:
        """Where the node stands in the mapping; what stands in a view is where the mapping names the view."""

    def scope(self, query: exp.Expr, parent: Scope | None, env: Env | None, ctes: dict[str, Cte]) -> Scope:
        """Resolve a nested query. What can't be read becomes a problem and an empty scope."""

    def cte(self, cte: Cte, parent: Scope) -> Scope: ...

    def view(self, view: View, node: exp.Table, parent: Scope) -> Scope: ...


class Unresolved(Exception):
    """A name that means nothing, or more than one thing, here. `hint` is what to do about it."""

    def __init__(
        self, what: str, hint: str = "correct the name; one with upper-case letters needs double quotes"
    ) -> None:
        self.hint = hint
        super().__init__(what)


def named(name: str, groups: Sequence[Group], *, closed: bool = False) -> Node | None:
    """The column of this name at one level; None when it is no plain column. Raises Unresolved."""
    found: list[Node | None] = []
    for group in groups:
        if name in group.merged:
            found.append(group.merged[name])
        else:
            found += [(source, source.columns[name]) for source in group.sources if name in source.columns]
    if len(found) > 1:
        raise Unresolved(f"column {name} is ambiguous", f"write its table before it: alias.{name}")
    if not found and not closed and not any(source.open for group in groups for source in group.sources):
        raise Unresolved(f"there is no column {name}")
    return found[0] if found else None
