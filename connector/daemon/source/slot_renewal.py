"""A slot that can't be read any more is made anew, or left for a person, as `source.on_slot_loss` says."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from connector.daemon.source.source_objects import SourceConfig
from connector.model.errors import ConfigurationError, Problem, SlotLost, SourceUnavailable
from connector.source.objects.setup import renew, slot_statement
from connector.source.objects.slot import OnWait

log = structlog.get_logger("connector.source")


@dataclass(frozen=True, slots=True)
class SlotRenewal:
    """`pipeline.ports.Slot`. `keep`: a person wants to look first (`source.on_slot_loss = "stop"`)."""

    source: SourceConfig
    keep: bool
    on_wait: OnWait

    async def renew(self, lost: SlotLost) -> None:
        source = self.source
        if self.keep:
            raise ConfigurationError([kept_slot(source.slot, str(lost))])
        if not source.manage:
            raise SourceUnavailable(
                f"{lost}. source.manage is false, so let a DBA drop what is left of it and run:"
                f" {slot_statement(source.slot)} The connector goes on then by itself, and compares every order"
            )
        try:
            await renew(source.dsn, source.slot, source.publication, source.tables, self.on_wait)
        except ConfigurationError as error:
            # Delivery goes on meanwhile, and a person who mends it need not restart anything.
            raise SourceUnavailable(str(error)) from None
        log.warning("slot_created", slot=source.slot, because=lost.reason)


def kept_slot(slot: str, what: str) -> Problem:
    """Why the connector ends rather than make a new slot."""
    hint = (
        "source.on_slot_loss is stop, so nothing was changed. Once you have looked: start once with"
        " CONNECTOR_SOURCE__ON_SLOT_LOSS=recreate; a new slot is made, and every order is compared with its checkpoint"
    )
    return Problem(what, hint, f"slot {slot}")
