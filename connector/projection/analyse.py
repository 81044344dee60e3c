"""The part of loading without I/O: from a mapping and the catalog to the order key and the routes, or to the reasons
why there are none. `load` asks the server what it makes of the mapping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem
from connector.projection.analysis.nondeterminism import nondeterminism_problems
from connector.projection.analysis.resolve import resolve
from connector.projection.analysis.scopes import Scope
from connector.projection.catalog.tables import Catalog
from connector.projection.routes.equivalence import exclusive
from connector.projection.routes.key import KeyUse, coupled_by_windows, find_key
from connector.projection.routes.required_privileges import RequiredPrivileges, required_privileges
from connector.projection.routes.route import Route
from connector.projection.routes.search import find_routes
from connector.projection.sql.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Analysis:
    """`text_problems`: what the text itself can't mean. `refusal`: why `keys` and `routes` are empty."""

    top: Scope
    text_problems: tuple[Problem, ...]
    keys: Sequence[KeyUse] = ()
    routes: Sequence[Route] = ()
    warnings: tuple[Problem, ...] = ()
    refusal: ConfigurationError | None = None

    def privileges(self, mapping: Mapping, catalog: Catalog) -> RequiredPrivileges:
        return required_privileges(mapping, catalog, self.top, self.keys, self.routes)


def analyse(mapping: Mapping, catalog: Catalog, swept: frozenset[TableName]) -> Analysis:
    """Never raises for what the mapping says."""
    top, problems = resolve(mapping, catalog, swept)
    problems += _function_problems(mapping, catalog)
    if problems:
        return Analysis(top, tuple(problems))
    try:
        refused, warnings = nondeterminism_problems(mapping, top, catalog)
        raise_problems(refused)
        top, keys = _keyed(mapping, catalog, swept, top)
        routes = _routed(mapping, top, keys, swept)
    except ConfigurationError as error:
        return Analysis(top, (), refusal=error)
    return Analysis(top, (), keys, routes, tuple(warnings))


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raises ConfigurationError when there are any."""
    if problems:
        # A CTE that is read twice has each of its problems twice.
        raise ConfigurationError(list(dict.fromkeys(problems)))


def _keyed(
    mapping: Mapping, catalog: Catalog, swept: frozenset[TableName], top: Scope
) -> tuple[Scope, Sequence[KeyUse]]:
    """The order key; with the scopes read again when a window above it sees several orders."""
    keys, problems = find_key(mapping, top)
    self_joins = coupled_by_windows(top, keys)
    if self_joins:
        top, problems = resolve(mapping, catalog, swept, self_joins)
        raise_problems(problems)
        keys, problems = find_key(mapping, top)
    raise_problems(problems)
    return top, keys


def _routed(mapping: Mapping, top: Scope, keys: Sequence[KeyUse], swept: frozenset[TableName]) -> list[Route]:
    followed = [use for use in top.uses() if use.table is not None and not use.table.refusal]
    routes: dict[tuple[int, str], Route] = {}
    problems: list[Problem] = []
    for key in keys:
        # Rows of another branch of a set operation never meet this key; they have one of their own.
        uses = [use for use in followed if not exclusive(use.scope, key.use.scope)]
        found, more = find_routes(mapping, uses, key, swept)
        routes |= {(id(route.use), route.name): route for route in found}
        problems += more
    raise_problems(problems)
    return list(routes.values())


def _function_problems(mapping: Mapping, catalog: Catalog) -> list[Problem]:
    return [
        mapping.problem(suspect.what, mapping.identifiers.offset(suspect.name), suspect.hint)
        for suspect in catalog.functions.suspects
    ]
