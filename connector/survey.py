"""The verbs that look and change nothing: check, explain, grants, preview, status."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2 as httpx
from psycopg.conninfo import conninfo_to_dict

from connector import app
from connector.checkpoints.opening import open_readonly, path_of
from connector.config import Settings
from connector.errors import ConfigurationError, InvalidOrder, OrderUnreadable, Problem
from connector.orders import Document, OrderKey
from connector.pipeline.ports import Checkpoint
from connector.projection import Assembler
from connector.redo.contract import RedoContract
from connector.source.preflight import grants as grants_sql
from connector.source.preflight import preflight


async def check(settings: Settings) -> list[Problem]:
    """Everything that `run` needs, looked at and left alone."""
    problems = app.settings_problems(settings)
    try:
        RedoContract(settings.source.timezone, settings.mapping.ignore)
        projection = await app.load_projection(settings)
    except ConfigurationError as error:
        return [*problems, *error.problems]
    source = settings.source
    dsn = app.source_dsn(settings)
    problems += await preflight(dsn, source.slot, source.publication, projection.tables, source.manage)
    async with AsyncExitStack() as stack:
        assembler = app.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        problems += await assembler.plan_problems()
        problems += await assembler.cross_check(20)
        problems += await redo_problems(settings)
    problems += store_problems(settings)
    return problems


async def explain(settings: Settings) -> dict[str, Any]:
    return (await app.load_projection(settings)).explain()


async def grants(settings: Settings, role: str) -> str:
    projection = await app.load_projection(settings)
    database = conninfo_to_dict(app.source_dsn(settings)).get("dbname")
    source = settings.source
    return grants_sql(
        projection.tables, role, source.publication, source.slot, None if database is None else str(database)
    )


async def preview(settings: Settings, keys: Sequence[str], sample: int) -> list[dict[str, Any]]:
    """What would be sent for the orders: `key`, `verdict` (new, changed, unchanged, absent, invalid, unreadable,
    duplicate), `problems`, `payload`. Without keys, the first `sample` orders."""
    contract = RedoContract(settings.source.timezone, settings.mapping.ignore)
    projection = await app.load_projection(settings)
    async with AsyncExitStack() as stack:
        assembler = app.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        wanted = [OrderKey(key) for key in keys] or list((await assembler.scan(None, sample)).keys)
        accepted = await _accepted(settings, wanted)
        return [await _preview_one(assembler, contract, key, accepted.get(key)) for key in wanted]


async def _preview_one(
    assembler: Assembler, contract: RedoContract, key: OrderKey, checkpoint: Checkpoint | None
) -> dict[str, Any]:
    try:
        documents = (await assembler.assemble([key])).documents.get(key, ())
    except OrderUnreadable as error:
        return _shown(key, "unreadable", [str(error)])
    if not documents:
        return _shown(key, "absent", ["the mapping has no row for this order"])
    if len(documents) > 1:
        return _shown(key, "duplicate", [f"the mapping returns {len(documents)} rows for this order"])
    return _judge(key, documents[0], contract, checkpoint)


def _judge(key: OrderKey, document: Document, contract: RedoContract, checkpoint: Checkpoint | None) -> dict[str, Any]:
    try:
        order = contract.order(document, time.time())
    except InvalidOrder as error:
        return _shown(key, "invalid", [str(violation) for violation in error.violations])
    verdict = "changed"
    if checkpoint is None:
        verdict = "new"
    elif checkpoint.fingerprint == order.fingerprint:
        verdict = "unchanged"
    return _shown(key, verdict, [], json.loads(order.body))


def _shown(key: OrderKey, verdict: str, problems: list[str], payload: Any = None) -> dict[str, Any]:
    return {"key": key, "verdict": verdict, "problems": problems, "payload": payload}


async def _accepted(settings: Settings, keys: Sequence[OrderKey]) -> dict[OrderKey, Checkpoint]:
    """Checkpoints as the store has them now; none when there is no store yet."""
    url = settings.checkpoints.url
    if url == "memory:" or not path_of(url).exists():
        return {}
    store = open_readonly(url)
    try:
        return dict((await store.known(keys)).checkpoints)
    finally:
        await store.close()


async def status(settings: Settings) -> dict[str, Any]:
    """What the running connector says of itself; when none answers, what its store remembers."""
    address = f"http://{_reachable(settings.status.host)}:{settings.status.port}/api/status"
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(address, timeout=5.0)
            answer.raise_for_status()
            return {"running": True, **answer.json()}
    except (httpx.HTTPError, ValueError):
        pass  # nobody there: then what the store says
    found: dict[str, Any] = {"running": False, "ready": False, "verdict": f"No connector answers at {address}."}
    url = settings.checkpoints.url
    if url == "memory:" or not path_of(url).exists():
        return {**found, "next": "start it with `redo-connector run`"}
    store = open_readonly(url)
    try:
        tally = await store.tally()
    finally:
        await store.close()
    return {
        **found,
        "next": "start it with `redo-connector run`: it goes on where it stopped",
        "affected": tally.affected,
        "lookups": tally.lookups,
        "checkpoints": tally.checkpoints,
        "missing": tally.missing,
        "dead_letters": dict(tally.dead_letters),
    }


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- listening anywhere includes here


async def redo_problems(settings: Settings) -> list[Problem]:
    """Ask Redo for an order that doesn't exist: a refused token shows, and nothing changes there."""
    client = app.redo_client(settings, None)
    try:
        outcome = (await client.read("redo-connector-check")).outcome
    finally:
        await client.aclose()
    if outcome.kind.value == "refused" and outcome.status == 401:
        hint = "check redo.api_secret, and that it is current"
        return [Problem("Redo refused the API secret", hint, "redo.api_secret")]
    if outcome.status is None and outcome.reason != "no_address":
        return [Problem(f"Redo can't be reached: {outcome.message}", "check network, proxy and DNS", "redo.base_url")]
    return []


def store_problems(settings: Settings) -> list[Problem]:
    """The store can be opened and written, unless the running connector has it open. Leaves no file behind."""
    try:
        path = path_of(settings.checkpoints.url)
    except ConfigurationError as error:
        return list(error.problems) if settings.checkpoints.url != "memory:" else []
    folder = path.resolve().parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = f"make the folder writable for the connector: {folder}"
        return [Problem(f"its folder can't be written: {error.strerror}", hint, "checkpoints.url")]
    return []
