"""For every use of a table, the route from one of its rows to the orders that the row may change.

A route may lead to more orders than needed, never to fewer. It is found outwards from the key: first the uses that hold
the order key themselves, then those joined to one with a route, and so on. Each continues exactly as that of the use
it steps to; so when rows along it change too, the changed row nearest to the order still finds it. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from sqlglot import exp

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.projection.analysis.scopes import Key, Scope, Source, column_of
from connector.projection.catalog.columns import Column, comparable, same_text
from connector.projection.catalog.tables import Table
from connector.projection.routes.equivalence import Equivalences
from connector.projection.routes.key import KeyUse
from connector.projection.routes.reverse_query import Chains, Step, index_of, lookup_of, table_of
from connector.projection.routes.route import Route
from connector.projection.sql.mapping import Mapping


def find_routes(
    mapping: Mapping, uses: list[Source], key: KeyUse, swept: frozenset[TableName] = frozenset()
) -> tuple[list[Route], list[Problem]]:
    """A route for every use, and for every table that inherits from a use's; or a problem for it. Uses of `swept`
    tables that have no other route are swept."""
    routes: list[Route] = []
    problems = []
    for use in uses:
        found = _routes_of(use, uses, key, frozenset(), {})
        if found is not None:
            routes += found
        elif table_of(use).name in swept:
            routes += [Route(use, table, "sweep", ()) for table in _tables(use)]
        else:
            problems.append(_no_route(mapping, use, key))
    return routes, problems


_Chosen: TypeAlias = frozenset[Source]
"""Branches of set operations: one of each that a row is taken to come from."""
_CHOICES = 4


def _routes_of(
    use: Source, uses: list[Source], key: KeyUse, chosen: _Chosen, known: dict[_Chosen, Chains]
) -> list[Route] | None:
    """The use's route; when a set operation lies on it, one by each of its branches. None when there is none."""
    if chosen not in known:
        by_use = {other: Equivalences(other, key.use, chosen) for other in uses}
        direct = {other: at for other in uses if (at := _key_columns(other, key, by_use[other])) is not None}
        known[chosen] = Chains(direct, _steps(uses, by_use, set(direct)))
    chains = known[chosen]
    if use in chains.direct or use in chains.steps:
        return [_route(use, table, key, chains) for table in _tables(use)]
    if len(chosen) == _CHOICES:
        return None
    for scope in _set_operations(use, uses, key):
        if scope.sources[0] in chosen or scope.sources[-1] in chosen:
            continue
        # A row of A EXCEPT B or A INTERSECT B is one of A.
        branches = scope.sources if isinstance(scope.select, exp.Union) else scope.sources[:1]
        found = [_routes_of(use, uses, key, chosen | {branch}, known) for branch in branches]
        if all(found):
            return list({route.name: route for routes in found for route in routes or ()}.values())
    return None


def _set_operations(use: Source, uses: list[Source], key: KeyUse) -> Iterator[Scope]:
    """Those that hold neither the use nor the key, the outermost first."""
    scopes: dict[Scope, None] = {}
    for other in uses:
        around: list[Scope] = []
        scope: Scope | None = other.scope
        while scope is not None:
            around.append(scope)
            scope = scope.parent
        scopes |= dict.fromkeys(each for each in reversed(around) if each.alternatives and not each.recursive)
    return (each for each in scopes if not use.scope.within(each) and not key.use.scope.within(each))


def _route(use: Source, table: Table, key: KeyUse, chains: Chains) -> Route:
    if use in chains.direct:
        columns = chains.direct[use]
        kind: Literal["key", "column"] = "key" if use is key.use else "column"
        return Route(use, table, kind, columns, None, index_of(use, table, columns, chains))
    columns = chains.steps[use].stored
    return Route(use, table, "reverse", columns, lookup_of(use, chains), index_of(use, table, columns, chains))


def _tables(use: Source) -> Iterable[Table]:
    """The tables in whose name changes of the use's rows are streamed."""
    table = table_of(use)
    return (table,) if use.only else (table, *(child for child in table.children if child.refusal is None))


def _key_columns(use: Source, key: KeyUse, equivalences: Equivalences) -> tuple[Column, ...] | None:
    """The use's own columns that equal the order key's, with the same text; None unless all are there."""
    found = []
    for wanted, node in zip(key.columns, key.nodes(), strict=True):
        mine = [
            column
            for column in table_of(use).columns.values()
            if column.streamed and equivalences.equal((use, column.name), node) and same_text(column, wanted)
        ]
        if not mine:
            return None
        exact = [column for column in mine if use is key.use and column.name == wanted.name]
        carried = [column for column in mine if column.name in table_of(use).identity]
        found.append((exact or carried or mine)[0])
    return tuple(found)


def _steps(uses: list[Source], by_use: dict[Source, Equivalences], done: set[Source]) -> dict[Source, Step]:
    """For each use without the key its next use, breadth first. Joins by a primary key go before others: one by a
    tenant's number alone would lead to all orders of the tenant."""
    steps: dict[Source, Step] = {}
    reached = [use for use in uses if use in done]
    by_key = True
    while True:
        layer = {}
        for use in uses:
            if use not in done and use not in steps:
                step = _best_step(use, reached, by_use[use], by_key)
                if step is not None:
                    layer[use] = step
        if not layer and not by_key:
            return steps
        by_key = bool(layer)
        steps |= layer
        reached = [*reached, *layer]


def _best_step(use: Source, reached: list[Source], equivalences: Equivalences, by_key: bool) -> Step | None:
    """The step that names the most columns; among equals one whose columns begin an index, then the nearest."""
    found = [
        Step(to, pairs) for to in reached if to in equivalences.present and (pairs := _pairs(use, to, equivalences))
    ]
    if by_key:
        found = [step for step in found if _by_primary_key(use, step)]
    return max(found, key=lambda step: (len(step.pairs), _indexed(step)), default=None)


def _by_primary_key(use: Source, step: Step) -> bool:
    mine = {column.name for column, _ in step.pairs if not column.parts}
    theirs = {column.name for _, column in step.pairs if not column.parts}
    one, other = set(table_of(use).primary_key), set(table_of(step.to).primary_key)
    return bool((one and one <= mine) or (other and other <= theirs))


def _indexed(step: Step) -> bool:
    return table_of(step.to).serves([theirs.indexed_as for _, theirs in step.pairs])


def _pairs(use: Source, to: Source, equivalences: Equivalences) -> tuple[tuple[Column, Column], ...]:
    pairs = []
    for theirs_at, theirs in _terms(to):
        for mine_at, mine in _terms(use):
            if mine.streamed and comparable(mine, theirs) and equivalences.equal((use, mine_at), (to, theirs_at)):
                pairs.append((mine, theirs))
                break
    return tuple(pairs)


def _terms(use: Source) -> Iterator[tuple[Key, Column]]:
    """The columns of a use, then the expressions over them that the mapping's conditions compare."""
    yield from table_of(use).columns.items()
    for key in sorted(use.computed, key=str):
        column = column_of((use, key))
        if column is not None:
            yield key, column


def _no_route(mapping: Mapping, use: Source, key: KeyUse) -> Problem:
    name = table_of(use).name
    shown = f"{name} (alias {use.alias})" if use.alias != name.name else str(name)
    what = f"no way leads from a changed row of {shown} to the orders it changes"
    if use.scope.view is not None:
        what += f" (in view {use.scope.view})"
    columns = ", ".join(key.names)
    hint = f"join it with = on plain columns to the order ({key.table.name}: {columns}) or to a table joined so"
    return mapping.problem(f"{what}: {_why_none(use)}", use.at, f"{hint}, or list it in mapping.sweep_tables")


def _why_none(use: Source) -> str:
    scope: Scope | None = use.scope
    while scope is not None and scope.parent is not None:
        if scope.limited:
            return "rows of all orders compete under LIMIT, OFFSET or FETCH"
        if scope.partitions or scope.self_join:
            return "a window function sees rows of all orders"
        scope = scope.parent
    return "no equality of plain columns joins it to the order"
