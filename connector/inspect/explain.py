"""`explain`: how a changed row of each table leads to orders."""

from __future__ import annotations

from typing import Any

from connector.projection.assembly.statistics import read_statistics
from connector.settings.config import Settings
from connector.source.objects.catalog import insert_only_tables
from connector.wiring import factories


async def explain(settings: Settings) -> dict[str, Any]:
    """As `Projection.explain` has it, with what the planner knows."""
    projection = await factories.load_projection(settings)
    read = {hop.table.name for use in projection.uses if use.route.lookup for hop in use.route.lookup.hops}
    statistics = await read_statistics(
        sorted(read), read_dsn=factories.read_dsn(settings), statement_timeout_ms=factories.timeout_ms(settings)
    )
    insert_only = await insert_only_tables(factories.read_dsn(settings), projection.tables)
    return projection.explain(statistics, insert_only)
