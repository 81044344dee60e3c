"""For every use of a table, the route from one of its rows to the orders that the row may change.

A route may lead to more orders than needed, never to fewer. It is found outwards from the key: first the uses that hold
the order key themselves, then those joined to one with a route, and so on. Each continues exactly as that of the use
it steps to; so when rows along it change too, the changed row nearest to the order still finds it. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.projection.analysis.scopes import Scope, Source
from connector.projection.catalog.tables import Table
from connector.projection.routes.chains import Chains, table_of, tables_of
from connector.projection.routes.cross_joins import Components
from connector.projection.routes.key import KeyUse
from connector.projection.routes.obstacles import no_route_problems
from connector.projection.routes.reverse_query import index_of, lookup_of
from connector.projection.routes.route import Route
from connector.projection.routes.ways import Ways
from connector.projection.sql.mapping import Mapping as MappingText


def find_routes(
    mapping: MappingText, uses: list[Source], key: KeyUse, swept: frozenset[TableName] = frozenset()
) -> tuple[list[Route], list[Problem]]:
    """A route for every use, and for every table that inherits from a use's; or a problem for it. Uses of `swept`
    tables that have no other route are swept; so are those of tables of few rows that nothing joins to the orders."""
    ways = Ways(uses, key)
    own = {use: ways.of(use) for use in uses}
    taken: dict[Source, list[Chains]] = {use: [] for use in uses}
    for use in uses:
        # Every end of a way is a way: of the changed rows that lie on one, the nearest to the order finds it.
        for chains in own[use]:
            for other in chains.along(use):
                taken[other].append(chains)
    # The ends alone may be one alternative's.
    found = {use: _routes(use, key, _widest(use, taken[use])) if own[use] else {} for use in uses}
    found |= {use: _sweeps(use) for use in uses if not own[use] and table_of(use).name in swept}
    unrouted = []
    components = Components(_top(key.use.scope))
    led = [use for use in uses if found[use] and table_of(use).name not in swept]
    for use in uses:
        if not found[use] and _is_setting(use) and not any(components.related(use, other) for other in led):
            found[use] = _sweeps(use, by_size=True)
        elif not found[use]:
            unrouted.append(use)
    problems = no_route_problems(mapping, unrouted, uses, key) if unrouted else []
    return [route for routes in found.values() for route in routes.values()], problems


def _top(scope: Scope) -> Scope:
    while scope.parent is not None:
        scope = scope.parent
    return scope


def _is_setting(use: Source) -> bool:
    """The use is of a table of few rows, and no second reading that stands for a window."""
    scope: Scope | None = use.scope
    while scope is not None and not scope.self_join:
        scope = scope.parent
    return scope is None and table_of(use).few


def _sweeps(use: Source, *, by_size: bool = False) -> dict[str, Route]:
    made = [Route(use, table, "sweep", (), by_size=by_size) for table in tables_of(use)]
    return {route.name: route for route in made}


def _widest(use: Source, ways: Iterable[Chains]) -> list[Chains]:
    """Those that lead to nothing to which another one of them leads, too."""
    kept: list[Chains] = []
    for chains in ways:
        if not any(chains.narrows(use, other) for other in kept):
            kept = [*(other for other in kept if not other.narrows(use, chains)), chains]
    return kept


def _routes(use: Source, key: KeyUse, ways: Iterable[Chains]) -> dict[str, Route]:
    made = [_route(use, table, key, chains) for chains in ways for table in tables_of(use)]
    return {route.name: route for route in made}


def _route(use: Source, table: Table, key: KeyUse, chains: Chains) -> Route:
    filters = chains.on(use, use)
    if use in chains.direct:
        columns = chains.direct[use]
        kind: Literal["key", "column"] = "key" if use is key.use else "column"
        return Route(use, table, kind, columns, None, index_of(use, table, columns, chains), filters)
    columns = chains.steps[use].stored
    lookup, index = lookup_of(use, chains), index_of(use, table, columns, chains)
    return Route(use, table, "reverse", columns, lookup, index, filters)
