"""What `check` reports of plans before a mapping runs. Warnings; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.projection.assembly.plans.look import Plans
from connector.projection.assembly.projection import Projection, Use

WIDE: Final = 10_000
"""Orders that a changed row may lead to before it is told."""
WIDE_SHARE: Final = 0.05
"""The same of all orders, where the table's rows do change..."""
_FEW: Final = 1_000
"""...and there are so many orders."""


def plan_problems(projection: Projection, plans: Plans, insert_only: Collection[TableName]) -> list[Problem]:
    """`insert_only`: tables whose deletes aren't streamed at all, which is the source's to tell."""
    problems = [each.problem(projection.path) for each in plans.whole_reads if each.large]
    problems += [problem for use in projection.uses for problem in _of_use(projection, use, insert_only)]
    problems += [problem for use in projection.uses for problem in _wide(projection, use, plans)]
    return list(dict.fromkeys(problems))


def _of_use(projection: Projection, use: Use, insert_only: Collection[TableName]) -> Iterator[Problem]:
    route, where = use.route, f"{projection.path}:{use.line}"
    if route.kind == "sweep":
        what = f"no way leads from {route.table.name} to single orders: any change of it makes all orders be looked at"
        hint = "as mapping.sweep_tables says; fine for a table that seldom changes"
        if route.by_size:
            hint = (
                "nothing joins it to an order; followed so while it has few rows, about 1,000: "
                f'list "{route.table.name}" in mapping.sweep_tables, and this doesn\'t depend on its size'
            )
        yield Problem(what, hint, where, warning=True)
    missing = [column.name for column in route.columns if column.name not in route.table.identity]
    if missing and route.index is None and route.table.name not in insert_only:
        what = (
            f"the replica identity of {route.table.name} lacks {', '.join(missing)}: a deleted row makes all orders be "
            "looked at, and an order that a row is moved away from is only mended by the next reconcile"
        )
        hint = f"ALTER TABLE {quoted(route.table.name.schema, route.table.name.name)} REPLICA IDENTITY FULL;"
        yield Problem(what, hint, where, warning=True)


def _wide(projection: Projection, use: Use, plans: Plans) -> Iterator[Problem]:
    orders, every = plans.fan_outs.get(use.route.name), projection.order_table_rows
    if orders is None:
        return
    much = every >= _FEW and orders > WIDE_SHARE * every and use.route.table.name in plans.changing
    if orders <= WIDE and not much:
        return
    share = f" ({min(100, round(100 * orders / every))}% of all)" if every > 0 else ""
    what = f"a changed row of {use.route.table.name} makes about {round(orders):,} orders be looked at{share}"
    hint = "join it by more columns, if more tell whose it is; fine for a table that seldom changes"
    yield Problem(what, hint, f"{projection.path}:{use.line}", warning=True)
