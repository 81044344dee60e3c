"""`check` of the checkpoint store: whether it can be opened and written, and where it is."""

from __future__ import annotations

import asyncio
import tempfile

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres.preflight import preflight
from connector.checkpoints.sqlite.file import open_reader
from connector.inspect.checks.database_identity import store_location_problems
from connector.inspect.endpoints import endpoint_problems
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem, SourceUnavailable
from connector.settings.config import Settings
from connector.wiring import factories


async def store_problems(settings: Settings) -> list[Problem]:
    """The store can be opened and written, unless the running connector has it open. Leaves nothing behind."""
    address = factories.checkpoints(settings)
    if address.in_memory:
        return []
    if not address.in_postgres:
        problems = _file_problems(address)
        return problems or await endpoint_problems(settings)
    problems = await asyncio.to_thread(preflight, address)
    try:
        if any(not each.warning for each in problems):
            return problems
        return [*problems, *await store_location_problems(settings), *await endpoint_problems(settings)]
    except SourceUnavailable:
        return problems  # reported already
    except (ConfigurationError, CheckpointsUnwritable) as error:
        return [Problem(str(error), where=SETTING)]


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
