"""`explain`: how a changed row of each table leads to orders, and what the connector's statements read whole."""

from __future__ import annotations

from typing import Any

from connector.settings.config import Settings
from connector.source.objects.catalog import insert_only_tables
from connector.wiring import factories


async def explain(settings: Settings) -> dict[str, Any]:
    """As `Projection.explain` has it, with what the planner knows."""
    projection = await factories.load_projection(settings)
    insert_only = await insert_only_tables(factories.read_dsn(settings), projection.tables)
    assembler = factories.new_assembler(settings, projection)
    try:
        plans = await assembler.plans()
    finally:
        await assembler.aclose()
    explained = projection.explain(plans.fan_outs, insert_only)
    return {**explained, "whole_reads": [each.explained() for each in plans.whole_reads]}
