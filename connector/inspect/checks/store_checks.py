"""`check` of the checkpoint store: whether it can be opened and written, and where it is."""

from __future__ import annotations

import asyncio
import tempfile

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres.connection import describe
from connector.checkpoints.postgres.preflight import preflight
from connector.checkpoints.sqlite.file import open_reader
from connector.inspect.checks.database_identity import store_location_problems
from connector.inspect.endpoints import endpoint_problems
from connector.inspect.store import store_if_any
from connector.model.checklist import Findings
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem, SourceUnavailable
from connector.settings.config import Settings
from connector.wiring import factories


async def check_store(settings: Settings, store: Findings) -> None:
    """The store can be opened and written, unless the running connector has it open. Leaves nothing behind."""
    address = factories.checkpoints(settings)
    if address.in_memory:
        store.fine.append("kept in memory: every start compares every order")
        return
    store.problems += await asyncio.to_thread(preflight if address.in_postgres else _file_problems, address)
    if store.serious:
        return
    try:
        store.problems += await store_location_problems(settings)
        store.problems += await endpoint_problems(settings)
        async with store_if_any(settings) as kept:
            known = None if kept is None else (await kept.tally()).checkpoints
    except SourceUnavailable:
        store.unseen.append("whether it is the OMS's own database, which can't be reached")
    except ConfigurationError as error:
        store.problems += error.problems
    except CheckpointsUnwritable as error:
        store.problems.append(Problem(str(error), where=SETTING))
    else:
        where = describe(address) if address.in_postgres else str(address.path)
        state = "not there yet, `run` makes it" if known is None else f"{known:,} orders are known to be at Redo"
        store.fine.append(f"{where}: {state}")


def _file_problems(address: Address) -> list[Problem]:
    try:
        path = address.path
    except ConfigurationError as error:
        return [*error.problems]
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
            open_reader(path, check=True).close()
        except ConfigurationError as error:
            return list(error.problems)
        except CheckpointsUnwritable as error:
            return [Problem(str(error), where="checkpoints.url")]
    return []
