"""Orders that wait for approval, as the store has them; plain dicts for the verbs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.inspect.store import store_of
from connector.pipeline.ports.holds import Hold, HoldState, HoldSummary
from connector.settings.config import Settings

_SAMPLES: Final = 5


async def holds(settings: Settings) -> list[dict[str, Any]]:
    """All holds, oldest first: `number`, `kind`, `cause`, `state`, `opened_at`, `orders`, in how many orders each of
    `fields` differs (the most frequent first), keys of some as `samples`, and by key their ids at Redo as
    `order_ids`."""
    async with store_of(settings) as store:
        return await holds_in(store)


async def holds_in(store: ReadOnlyCheckpoints) -> list[dict[str, Any]]:
    found = await store.holds()
    summaries = [await store.summarise(hold.number, _SAMPLES) for hold in found]
    # A hold may have been released between the two looks.
    return [_hold(hold, summary) for hold, summary in zip(found, summaries, strict=True) if summary is not None]


def _hold(hold: Hold, summary: HoldSummary) -> dict[str, Any]:
    fields = sorted(summary.fields.items(), key=lambda item: (-item[1], item[0]))
    return {**asdict(hold), "fields": dict(fields), "samples": [*summary.samples], "order_ids": dict(summary.order_ids)}


def is_held(hold: dict[str, Any]) -> bool:
    """Whether it waits for a person, rather than for its own end."""
    return bool(hold["state"] == HoldState.HELD)
