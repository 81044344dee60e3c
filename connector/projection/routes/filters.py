"""Which constant conditions hold on the columns of tables when a row of one use takes part in an order. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from connector.projection.analysis.nodes import column_of
from connector.projection.analysis.scopes import Computed, Condition, Filter, Node, Source
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column
from connector.projection.routes.equivalence import Equivalences


def filters_of(held: Equivalences) -> Mapping[Source, tuple[ColumnFilter, ...]]:
    """Those of tables' own columns, by the use that reads the table; in the order of the columns."""
    found: dict[Source, set[ColumnFilter]] = defaultdict(set)
    facts, equal = list(held.facts()), held.classes()
    compared = {node for fact in facts if isinstance(fact, Condition) for node in (fact.left, fact.right)}
    for stated in facts:
        # A column that must equal another isn't NULL, and a partial index is proved by that.
        if isinstance(stated, Filter) and not (stated.kind == "not null" and compared & {*equal.get(stated.node, ())}):
            for source, made in _filtered(held, stated, equal):
                found[source].add(made)
    return {source: _sorted(source, made) for source, made in found.items()}


def _filtered(
    held: Equivalences, stated: Filter, equal: Mapping[Node, list[Node]]
) -> Iterator[tuple[Source, ColumnFilter]]:
    column = column_of(stated.node)
    if not stated.strict:
        nodes = list(null_below(held, stated.node)) if stated.never_filled else []
    else:
        nodes = equal.get(stated.node, [stated.node])
    for source, key in nodes:
        if source not in held.present or source.table is None or isinstance(key, Computed):
            continue
        own = source.table.columns[str(key)]
        if stated.kind != "among" or (column is not None and _compares_alike(own, column)):
            yield source, ColumnFilter(own, stated.kind, stated.texts)


def null_below(held: Equivalences, node: Node) -> Iterator[Node]:
    """The base columns that are NULL where a column is, on a row that is there; in scopes where none is filled."""
    source, key = node
    if source.table is not None:
        yield node
    elif not isinstance(key, Computed):
        for inside in held.passed(node):
            if inside[0].region is None:
                yield from null_below(held, inside)


def _compares_alike(one: Column, other: Column) -> bool:
    """Another type may compare with a constant otherwise, and so may another collation."""
    return (one.type_name, one.deterministic) == (other.type_name, other.deterministic)


def _sorted(source: Source, filters: Collection[ColumnFilter]) -> tuple[ColumnFilter, ...]:
    """Without those that say nothing beside the others, or beside the table's definition."""
    among = {each.column.name for each in filters if each.kind == "among"}
    filled = {each.column.name for each in filters if each.column.not_null} | among
    places = {name: number for number, name in enumerate(source.table.columns if source.table is not None else ())}
    told = [each for each in filters if each.kind != "not null" or each.column.name not in filled]
    return tuple(sorted(told, key=lambda each: (places[each.column.name], each.kind, each.texts)))
