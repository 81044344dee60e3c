"""The verbs that look and change nothing: check, explain, grants, preview, status, dead-letters."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final

import httpx2 as httpx
from psycopg.conninfo import conninfo_to_dict

from connector import app
from connector.checkpoints.file import open_reader
from connector.checkpoints.opening import open_readonly, path_of
from connector.config import Settings
from connector.errors import (
    CheckpointsUnwritable,
    ConfigurationError,
    ConnectorError,
    InvalidOrder,
    OrderUnreadable,
    Problem,
)
from connector.orders import Document, OrderKey, OutcomeKind
from connector.pipeline.ports import Checkpoint, DeadLetter
from connector.projection import Assembler
from connector.redo.client import RedoClient
from connector.redo.contract import RedoContract
from connector.redo.digest import changed_fields
from connector.source.preflight import grants as grants_sql
from connector.source.preflight import insert_only_tables, preflight

_SAMPLE: Final = 20
"""Orders that `check` looks at."""
_NOT_A_KEY: Final = ("22P02", "22003", "22007", "22008")
"""SQLSTATEs of a text that its type can't be read from."""


async def check(settings: Settings) -> list[Problem]:
    """Everything that `run` needs, looked at and left alone."""
    problems = app.settings_problems(settings)
    try:
        contract = RedoContract(settings.source.timezone, settings.mapping.ignore)
        projection = await app.load_projection(settings)
        client = app.redo_client(settings, None)
    except ConfigurationError as error:
        return [*problems, *error.problems]
    source = settings.source
    dsn = app.source_dsn(settings)
    problems += await preflight(dsn, source.slot, source.publication, projection.tables, source.manage)
    async with AsyncExitStack() as stack:
        assembler = app.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        stack.push_async_callback(client.aclose)
        problems += await _mapping_problems(assembler, contract)
        problems += await redo_problems(client)
    problems += store_problems(settings)
    return problems


async def _mapping_problems(assembler: Assembler, contract: RedoContract) -> list[Problem]:
    """How the mapping does on the orders that there are."""
    try:
        problems = [*await assembler.plan_problems()]
        keys = (await assembler.scan(None, _SAMPLE)).keys
        previews = [await _preview_one(assembler, contract, key, None) for key in keys]
        bad = [one for one in previews if one["problems"]]
        if not bad:
            return [*problems, *await assembler.cross_check(_SAMPLE)]
    except ConnectorError as error:
        return [Problem(str(error), where="mapping.path")]
    what = f"{len(bad)} of the first {len(previews)} orders would become dead letters; {bad[0]['key']} because:"
    reason = "; ".join(bad[0]["problems"])
    hint = f"`redo-connector preview {bad[0]['key']}` shows it; mend the mapping, or the order"
    return [*problems, Problem(f"{what} {reason}", hint, "mapping.path", warning=True)]


async def explain(settings: Settings) -> dict[str, Any]:
    return (await app.load_projection(settings)).explain()


async def grants(settings: Settings, role: str) -> str:
    projection = await app.load_projection(settings)
    database = conninfo_to_dict(app.source_dsn(settings)).get("dbname")
    source = settings.source
    return grants_sql(
        projection.tables,
        role,
        source.publication,
        source.slot,
        None if database is None else str(database),
        insert_only=await insert_only_tables(app.source_dsn(settings), projection.tables),
    )


async def preview(settings: Settings, keys: Sequence[str], sample: int) -> list[dict[str, Any]]:
    """What would be sent for the orders: `key`, `verdict` (new, changed, unchanged, absent, invalid, unreadable,
    duplicate), `problems`, `changed_fields`, `payload`. Without keys, the first `sample` orders.

    `changed_fields` are a changed order's top-level fields that differ from what Redo accepted; none where the store
    doesn't know them.
    """
    contract = RedoContract(settings.source.timezone, settings.mapping.ignore)
    projection = await app.load_projection(settings)
    async with AsyncExitStack() as stack:
        assembler = app.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        wanted = [OrderKey(key) for key in keys] or list((await assembler.scan(None, sample)).keys)
        accepted = await _accepted(settings, wanted)
        found = [await _preview_one(assembler, contract, key, accepted.get(key)) for key in wanted]
    for one in found:
        if one["sqlstate"] in _NOT_A_KEY:
            key_columns = ", ".join(f"{column.name} {column.type}" for column in projection.key_columns)
            one["problems"].append(f"is {one['key']} an order key? That is {projection.order_table} ({key_columns})")
        del one["sqlstate"]
    return found


async def _preview_one(
    assembler: Assembler, contract: RedoContract, key: OrderKey, checkpoint: Checkpoint | None
) -> dict[str, Any]:
    try:
        documents = (await assembler.assemble([key])).documents.get(key, ())
    except OrderUnreadable as error:
        return _shown(key, "unreadable", [str(error)], sqlstate=error.sqlstate)
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
    payload = json.loads(order.body)
    if checkpoint is None:
        return _shown(key, "new", [], payload)
    if checkpoint.fingerprint == order.fingerprint:
        return _shown(key, "unchanged", [], payload)
    return _shown(key, "changed", [], payload, changed_fields(checkpoint.digest, order.digest))


def _shown(
    key: OrderKey,
    verdict: str,
    problems: list[str],
    payload: Any = None,
    changed: Sequence[str] = (),
    sqlstate: str = "",
) -> dict[str, Any]:
    return {
        "key": key,
        "verdict": verdict,
        "problems": problems,
        "changed_fields": [*changed],
        "payload": payload,
        "sqlstate": sqlstate,
    }


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
            said = answer.json()
            if isinstance(said, dict) and "verdict" in said:
                return {"running": True, **said}
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


async def dead_letters(settings: Settings, limit: int) -> dict[str, Any]:
    """`total`, and the first `limit` as `dead_letters`, in key order; times are seconds since 1970."""
    store = open_readonly(settings.checkpoints.url)
    try:
        total = sum((await store.tally()).dead_letters.values())
        letters = await store.dead_letters(None, limit)
    finally:
        await store.close()
    return {"total": total, "dead_letters": [_letter(letter) for letter in letters]}


async def dead_letters_of(settings: Settings, keys: Sequence[str]) -> dict[str, Any]:
    """The same for these orders, as far as they have one."""
    store = open_readonly(settings.checkpoints.url)
    try:
        known = (await store.known([OrderKey(key) for key in keys])).dead_letters
    finally:
        await store.close()
    return {"total": len(known), "dead_letters": [_letter(known[key]) for key in sorted(known)]}


def _letter(letter: DeadLetter) -> dict[str, Any]:
    shown = {name: value for name, value in asdict(letter).items() if name != "fingerprint"}
    return {**shown, "paths": list(letter.paths)}


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- listening anywhere includes here


async def redo_problems(client: RedoClient) -> list[Problem]:
    """Ask Redo for an order that doesn't exist: a refused token shows, and nothing changes there."""
    outcome = (await client.read("redo-connector-check")).outcome
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 401:
        hint = "check redo.api_secret, and that it is current"
        return [Problem("Redo refused the API secret", hint, "redo.api_secret")]
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 404:
        what, hint = "Redo knows no such store", "check redo.store_id, and redo.base_url or redo.orders_url"
        return [Problem(what, hint, "redo.store_id")]
    if outcome.status is None and outcome.reason != "no_address":
        hint = "check the address, network, proxy and DNS; orders wait in the ledger until Redo answers"
        return [Problem(outcome.message, hint, "redo.base_url")]
    return []


def store_problems(settings: Settings) -> list[Problem]:
    """The store can be opened and written, unless the running connector has it open. Leaves no file behind."""
    try:
        path = path_of(settings.checkpoints.url)
    except ConfigurationError as error:
        return list(error.problems) if settings.checkpoints.url != "memory:" else []
    folder = path.resolve().parent
    if not folder.is_dir():
        return [Problem(f"the folder {folder} does not exist", "create it", "checkpoints.url")]
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = "make it writable for the user that the connector runs as"
        return [Problem(f"the folder {folder} can't be written: {error.strerror}", hint, "checkpoints.url")]
    if path.exists() and path.stat().st_size:
        try:
            open_reader(path).close()
        except ConfigurationError as error:
            return list(error.problems)
        except CheckpointsUnwritable as error:
            return [Problem(str(error), where="checkpoints.url")]
    return []
