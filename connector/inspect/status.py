"""`status`: how the running connector is; when none answers, what its store remembers."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Final

from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.inspect import dead_letters, running_connector
from connector.inspect.holds import holds_in
from connector.inspect.store import store_if_any, store_of
from connector.model.errors import ConnectorError
from connector.pipeline.intake.progress import IN_STEP_NOTE, since_noted
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.settings.config import Settings

_PATH: Final = "/api/status"
_SWEEPS: Final = 50
"""Finished sweeps that are looked through for the last reconcile."""


async def status(settings: Settings) -> dict[str, Any]:
    """As `/api/status` answers, with `running`; without a connector, counts and what waits for a person."""
    answer = await running_connector.ask(settings, _PATH, expected="verdict", timeout=5.0)
    if answer is not None:
        return {"running": True, **answer, **await _groups(settings)}
    where = running_connector.address(settings) + _PATH
    found: dict[str, Any] = {"running": False, "ready": False, "verdict": f"No connector answers at {where}."}
    async with store_if_any(settings) as store:
        if store is None:
            return {**found, "next": "start it with `redo-connector run`"}
        remembered = await _remembered(store)
    advice = "start it with `redo-connector run`: it goes on where it stopped"
    return {**found, "next": advice, **remembered, **await _groups(settings)}


async def _remembered(store: ReadOnlyCheckpoints) -> dict[str, Any]:
    tally, noted, now = await store.tally(), await store.noted(IN_STEP_NOTE), time.time()
    waited = 0.0 if tally.oldest_since is None else now - tally.oldest_since
    return {
        "sync_lag_seconds": None if noted is None else max(waited, since_noted(noted, now)),
        "affected": tally.affected,
        "lookups": tally.lookups,
        "checkpoints": tally.checkpoints,
        "missing": tally.missing,
        "dead_letters": dict(tally.dead_letters),
        "warnings": dict(tally.warnings),
        "holds": await holds_in(store),
        "last_reconcile": await _last_reconcile(store),
        "endpoints": [asdict(one) for one in await store.endpoints()],
    }


async def _groups(settings: Settings) -> dict[str, Any]:
    """What orders were refused for, from the store: a running connector tells how many only."""
    try:
        return {"dead_letter_groups": (await dead_letters.dead_letters(settings, 1))["groups"]}
    except ConnectorError:
        return {}  # the connector's own words are worth showing without


async def last_reconcile(settings: Settings) -> dict[str, Any] | None:
    """What the last finished reconcile found: None when there was none."""
    async with store_of(settings) as store:
        return await _last_reconcile(store)


async def _last_reconcile(store: ReadOnlyCheckpoints) -> dict[str, Any] | None:
    done = (sweep for sweep in await store.sweeps(_SWEEPS) if sweep.kind is SweepKind.RECONCILE)
    return next((_sweep(sweep) for sweep in done), None)


def _sweep(sweep: Sweep) -> dict[str, Any]:
    names = ("cause", "started_at", "finished_at", "scanned", "missed", "changed", "extra", "held")
    return {name: getattr(sweep, name) for name in names}
