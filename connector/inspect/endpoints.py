"""The addresses and stores of Redo in the settings, against those that the checkpoints count for."""

from __future__ import annotations

from connector.inspect.store import store_if_any
from connector.model.errors import Problem
from connector.pipeline.holds.endpoints import Change, compare
from connector.settings.config import Settings
from connector.wiring import factories


async def changed_endpoints(settings: Settings) -> Change | None:
    """How they differ; None where they don't, or there is no store. Raises ConfigurationError,
    CheckpointsUnwritable."""
    async with store_if_any(settings) as store:
        return None if store is None else compare(await store.endpoints(), factories.redo_endpoints(settings))


async def endpoint_problems(settings: Settings) -> list[Problem]:
    """What a start would do about it. Raises as `changed_endpoints`."""
    change = await changed_endpoints(settings)
    if change is None:
        return []
    hint = "`redo-connector run` compares every order with what was accepted there, and pushes what differs"
    if change.held:
        hint = (
            "`redo-connector run` takes them up, and pushes nothing there before `redo-connector approve` lets it;"
            " if the address is wrong, mend it: what each one accepted is kept apart"
        )
    return [Problem(f"another address or store than before: {change}", hint, "redo.base_url", warning=True)]
