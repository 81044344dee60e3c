"""Asks the connector that runs with these settings, through its status server."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from connector.checkpoints.address import SETTING
from connector.checkpoints.opening import is_running
from connector.checkpoints.postgres.connection import describe
from connector.model.errors import Problem
from connector.settings.config import Settings
from connector.wiring import factories

STATUS = "/api/status"


async def ask(settings: Settings, path: str, *, expected: str, timeout: float) -> dict[str, Any] | None:
    """Its JSON answer; None where nobody answers, or not with the `expected` key: then it is still starting."""
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.get(address(settings) + path, timeout=timeout)).json()
    except (httpx.HTTPError, ValueError):
        return None
    return answer if isinstance(answer, dict) and expected in answer else None


def address(settings: Settings) -> str:
    """Where the running connector's status server answers, from here."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- listening anywhere includes here
    host = settings.status.host
    return f"http://{anywhere.get(host, host)}:{settings.status.port}"


async def other_store(settings: Settings) -> Problem | None:
    """Why these settings are not those of the connector that answers: it leads with another store. None where they are,
    nobody answers, or the one that answers doesn't lead (yet). Raises ConfigurationError, CheckpointsUnwritable."""
    store = factories.checkpoints(settings)
    if store.in_memory or not settings.status.port or is_running(store):
        return None
    answer = await ask(settings, STATUS, expected="verdict", timeout=2.0)
    if answer is None or not (answer.get("leader") or {}).get("here"):
        return None
    named = describe(store) if store.in_postgres else str(store.path.absolute())
    what = f"no connector uses {named}, but one with another store answers at {address(settings)}"
    hint = (
        "name the settings file that it was started with (--config), or its checkpoints.url; "
        "where you mean one that is stopped, give that a status.port of its own"
    )
    return Problem(what, hint, SETTING)
