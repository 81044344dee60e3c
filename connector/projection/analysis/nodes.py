"""What is known of a node: the base column at its bottom, whether it may be NULL, and what it is in the scopes inside.
No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from connector.projection.analysis.scopes import Computed, Key, Node, Region, Source, is_matched
from connector.projection.catalog.columns import Column, computed, nested
from connector.projection.catalog.elements import element


def column_of(node: Node) -> Column | None:
    """The base column at the bottom of a node, through derived tables that pass it on; None when there is none."""
    source, key = node
    if isinstance(key, Computed):
        parts = [column for part in key.keys if (column := column_of((source, part))) is not None]
        if len(parts) < len(key.keys):
            return None
        return computed(parts, key.sql, key.result, strict=key.strict, indexable=key.indexable)
    if source.table is not None:
        return source.table.columns[str(key)]
    if source.element is not None:
        array = column_of(source.element.array)
        return element(array, source.element.kind) if array is not None else None
    below = _one_below(source, int(key))
    return column_of(below) if below is not None else None


def _one_below(source: Source, number: int) -> Node | None:
    """The column of a derived table in the scope inside; of a set operation's, that of its first branch."""
    if source.work_table is not None:
        return source.work_table.sources[0], number
    if source.inner is None or number >= len(source.inner.outputs):
        return None
    output = source.inner.outputs[number]
    return next(iter(output.values or output.moving), output.picked)


def filled_below(node: Node) -> bool:
    """True when the column isn't NULL on any row of the table that it is of; of a set operation, of each of them."""
    source, key = node
    if isinstance(key, Computed):
        return False
    if source.table is not None:
        return source.table.columns[str(key)].not_null
    below = source.inner.outputs[int(key)].values if source.inner is not None else ()
    return bool(below) and all(map(filled_below, below))


def surely_there(node: Node, matched: Sequence[Region] = ()) -> bool:
    """True when the column is never NULL on a row of its scope on which the regions are matched."""
    source, key = node
    scope = source.scope
    if any(node in (condition.left, condition.right) for condition in scope.conditions if not condition.guard):
        return True
    if any(found.node == node and found.strict for found in scope.filters if not found.guard):
        return True
    if isinstance(key, Computed) or not is_matched(source.region, matched):
        return False
    if source.table is not None:
        return source.table.columns[str(key)].not_null
    if source.inner is None:
        return False
    below = source.inner.outputs[int(key)].nodes
    return bool(below) and all(surely_there(found) for found in below)


def below(source: Source, key: Key) -> Iterator[Node]:
    """The same column or expression in the scopes inside of a derived table: one for each branch of a set operation.
    Only where all of its columns are columns of one source there."""
    if not isinstance(key, Computed):
        if source.inner is not None and int(key) < len(source.inner.outputs):
            yield from source.inner.outputs[int(key)].values
        return
    outputs = [source.inner.outputs[int(str(part))] for part in key.keys] if source.inner is not None else []
    for nodes in zip(*(output.values for output in outputs), strict=False):
        if all(other is nodes[0][0] for other, _ in nodes):
            yield nodes[0][0], _over(key, [part for _, part in nodes])


def _over(key: Computed, parts: Sequence[Key]) -> Computed:
    """The expression, with others in the place of its columns."""
    inner = [part if isinstance(part, Computed) else Computed((part,), "{0}", "") for part in parts]
    keys = tuple(dict.fromkeys(name for part in inner for name in part.keys))
    texts = [nested(part.sql, [f"{{{keys.index(name)}}}" for name in part.keys]) for part in inner]
    strict, indexable = (all(part.strict for part in (key, *inner)), all(part.indexable for part in (key, *inner)))
    return replace(key, keys=keys, sql=nested(key.sql, texts), strict=strict, indexable=indexable)
