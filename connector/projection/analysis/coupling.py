"""Why rows of one order may depend on rows of another: what counts, numbers or chooses among them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from connector.projection.analysis.scopes import Computed, Node, Scope


@dataclass(frozen=True, slots=True)
class Coupling:
    """`why` goes on after the place; `rewrite` keeps the rows of one value of the column among themselves."""

    why: str
    rewrite: str
    at: int


def coupling(scope: Scope, node: Node | None) -> Coupling | None:
    """Why rows with one value of the column may depend on rows with another; None when they don't. `node`: None for a
    column that the scope doesn't have.

    A LIMIT counts rows of all values. A window does unless it is partitioned by the column. Of a grouped scope
    Postgres lets out only columns that are constant in a group, so groups keep the values apart.
    """
    name = shown(node) if node is not None else "the order's column"
    if scope.limited:
        why = "LIMIT, OFFSET or FETCH counts the rows of all orders together"
        return Coupling(
            why, f"put the join's condition into it: LATERAL (SELECT ... WHERE {name} = ... LIMIT ...)", scope.at
        )
    if scope.opaque_grouping:
        why = "grouping sets (ROLLUP, CUBE) put the rows of all orders together"
        return Coupling(why, f"write GROUP BY {name}, ... and one more SELECT for each other total", scope.at)
    if scope.distinct_on is not None and node not in scope.distinct_on:
        why = f"DISTINCT ON chooses among the rows of all orders, as it doesn't name {name}"
        return Coupling(why, f"write DISTINCT ON ({name}, ...), and ORDER BY {name}, ...", scope.at)
    for partition, at in scope.partitions:
        if node not in partition:
            why = f"a window sees the rows of all orders, as its PARTITION BY doesn't name {name}"
            return Coupling(why, f"write OVER (PARTITION BY {name}, ...)", at)
    return None


def shown(node: Node) -> str:
    """The column as the mapping writes it, or might."""
    source, key = node
    if isinstance(key, Computed):
        return key.sql.format(*(shown((source, part)) for part in key.keys)).replace("pg_catalog.", "")
    visible = next((name for name, found in source.columns.items() if found == key), "")
    if source.scope.alternatives and isinstance(key, int) and key < len(source.scope.outputs):
        visible = source.scope.outputs[key].name or ""
    return f"{source.alias}.{visible}" if source.alias and visible else visible or "the column"
