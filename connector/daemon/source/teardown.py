"""What of ours is in the OMS database, and dropping it: the slot and the publication."""

from __future__ import annotations

from connector.model.errors import ConfigurationError, Problem
from connector.settings.config import Settings
from connector.source.objects import teardown
from connector.source.objects.teardown import Leftovers
from connector.wiring.factories import source_dsn


async def leftovers(settings: Settings) -> Leftovers:
    """Raises ConfigurationError where a DBA made them, SourceUnavailable."""
    source, dsn = settings.source, source_dsn(settings)
    if not source.manage:
        hint = f"let a DBA run:\n{teardown.statements(source.slot, source.publication)}"
        raise ConfigurationError([Problem("a DBA made the slot and the publication", hint, "source.manage")])
    return await teardown.leftovers(dsn, source.slot, source.publication)


async def drop(settings: Settings) -> Leftovers:
    """Returns what was dropped. Raises SourceUnavailable."""
    return await teardown.teardown(source_dsn(settings), settings.source.slot, settings.source.publication)
