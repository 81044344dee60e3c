"""The slots that a store was ever filled from: after a change of `source.slot`, one is left behind and keeps WAL.

A small note in the store; `check` and a start compare it with what the server has.
"""

from __future__ import annotations

import json
from typing import Final

from connector.checkpoints.address import Address
from connector.checkpoints.opening import noted
from connector.pipeline.ports.store import CheckpointStore

SLOTS_NOTE: Final = "slots"
"""Their names, as a JSON list."""


async def remember_slot(memory: CheckpointStore, slot: str) -> None:
    known = json.loads(await memory.noted(SLOTS_NOTE) or "[]")
    if slot not in known:
        await memory.note(SLOTS_NOTE, json.dumps([*known, slot]))


async def former_slots(address: Address) -> list[str]:
    """None when there is no store yet or it can't be read, which others tell."""
    found: list[str] = json.loads(await noted(address, SLOTS_NOTE) or "[]")
    return found
