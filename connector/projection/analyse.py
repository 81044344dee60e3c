"""The pure part of loading: from a mapping and the catalog to the order key and the ways, with the reasons why not.

No I/O; what the server says of it is `load`'s to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem
from connector.projection.analysis.moving import moving_problems
from connector.projection.analysis.resolve import resolve
from connector.projection.analysis.scopes import Scope
from connector.projection.catalog.tables import Catalog
from connector.projection.routes.equivalence import apart
from connector.projection.routes.key import KeyUse, coupled_by_windows, find_key
from connector.projection.routes.required_privileges import Needs, needs_of
from connector.projection.routes.route import Way
from connector.projection.routes.search import find_ways
from connector.projection.sql.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Analysis:
    """`keys` and `ways` are empty when `refusal` says why there are none. `unread`: what the text itself can't mean."""

    top: Scope
    unread: tuple[Problem, ...]
    keys: Sequence[KeyUse] = ()
    ways: Sequence[Way] = ()
    warnings: tuple[Problem, ...] = ()
    refusal: ConfigurationError | None = None

    def needs(self, mapping: Mapping, catalog: Catalog) -> Needs:
        return needs_of(mapping, catalog, self.top, self.keys, self.ways)


def analyse(mapping: Mapping, catalog: Catalog, swept: frozenset[TableName]) -> Analysis:
    """Never raises for what the mapping says."""
    top, problems = resolve(mapping, catalog, swept)
    problems += _function_problems(mapping, catalog)
    if problems:
        return Analysis(top, tuple(problems))
    try:
        moving, warnings = moving_problems(mapping, top, catalog)
        stop(moving)
        top, keys = _keyed(mapping, catalog, swept, top)
        ways = _routed(mapping, top, keys, swept)
    except ConfigurationError as error:
        return Analysis(top, (), refusal=error)
    return Analysis(top, (), keys, ways, tuple(warnings))


def stop(problems: Sequence[Problem]) -> None:
    """Raises ConfigurationError when there are any."""
    if problems:
        # A CTE that is read twice has each of its problems twice.
        raise ConfigurationError(list(dict.fromkeys(problems)))


def _keyed(
    mapping: Mapping, catalog: Catalog, swept: frozenset[TableName], top: Scope
) -> tuple[Scope, Sequence[KeyUse]]:
    """The order key; with the scopes read again when a window above it sees several orders."""
    keys, problems = find_key(mapping, top)
    twins = coupled_by_windows(top, keys)
    if twins:
        top, problems = resolve(mapping, catalog, swept, twins)
        stop(problems)
        keys, problems = find_key(mapping, top)
    stop(problems)
    return top, keys


def _routed(mapping: Mapping, top: Scope, keys: Sequence[KeyUse], swept: frozenset[TableName]) -> list[Way]:
    followed = [use for use in top.uses() if use.table is not None and not use.table.refusal]
    ways: dict[tuple[int, str], Way] = {}
    problems: list[Problem] = []
    for key in keys:
        # Rows of another branch of a set operation never meet this key; they have one of their own.
        uses = [use for use in followed if not apart(use.scope, key.use.scope)]
        found, more = find_ways(mapping, uses, key, swept)
        ways |= {(id(way.use), way.name): way for way in found}
        problems += more
    stop(problems)
    return list(ways.values())


def _function_problems(mapping: Mapping, catalog: Catalog) -> list[Problem]:
    return [
        mapping.problem(suspect.what, mapping.identifiers.offset(suspect.name), suspect.hint)
        for suspect in catalog.functions.suspects
    ]
