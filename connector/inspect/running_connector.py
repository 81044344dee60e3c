"""Asks the connector that runs with these settings, through its status server."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from connector.settings.config import Settings


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
