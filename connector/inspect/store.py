"""The checkpoint store, opened to be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.checkpoints.opening import open_if_any, open_readonly
from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.inspect import running_connector
from connector.model.errors import ConfigurationError
from connector.settings.config import Settings
from connector.wiring import factories


@asynccontextmanager
async def store_of(settings: Settings) -> AsyncIterator[ReadOnlyCheckpoints]:
    """The store, opened for reading. Raises ConfigurationError when there is none yet, CheckpointsUnwritable."""
    try:
        store = await asyncio.to_thread(open_readonly, factories.checkpoints(settings))
    except ConfigurationError as error:
        other = await running_connector.other_store(settings)
        raise ConfigurationError([*error.problems, *([other] if other else [])]) from None
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def store_if_any(settings: Settings, *, payloads: bool = False) -> AsyncIterator[ReadOnlyCheckpoints | None]:
    """The same; None when there is none yet. `payloads`: kept ones are to be opened, too."""
    vault = factories.payload_vault(settings) if payloads else None
    store = await open_if_any(factories.checkpoints(settings), vault)
    try:
        yield store
    finally:
        if store is not None:
            await store.close()
