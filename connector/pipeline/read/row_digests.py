"""What the mapping's answer for an order is known by: a digest of its row and child rows, kept with the checkpoint.

Equal digests mean an equal order, because the salt has everything else that decides what becomes of a row: the mapping,
the contract with its settings, and how often member rows may have been lost. It must not know who compares them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

from connector.model.orders import Members
from connector.model.rows import Row
from connector.pipeline.ports.protocols import Assembler, Contract
from connector.pipeline.ports.store import CheckpointStore

NOTE = "row_digests"
"""The parts that the reverse index had last, and a number that grows when digests must not count any more."""
NO_DIGEST = b""
"""Equals no other."""


class RowDigests:
    def __init__(self, store: CheckpointStore, assembler: Assembler, contract: Contract) -> None:
        self._store = store
        self._assembler = assembler
        self._contract = contract
        self._salt: bytes | None = None

    async def load(self, indexes: frozenset[str] | None, *, void: bool) -> None:
        """At start, before anything is read, and before member rows of other indexes are removed. `indexes`: the
        reverse index's parts by this mapping; None: not known, nothing will be read. `void`: checkpoints may come back
        that are older than the member rows.

        A digest says that the order's member rows are stored. So none counts once a part comes that wasn't there at the
        last start: its rows may have been removed in between.
        """
        noted = await self._store.noted(NOTE) or "[[], 0]"
        known, times = json.loads(noted)
        if void or (indexes is not None and not indexes <= {*known}):
            times += 1
        now = json.dumps([known if indexes is None else sorted(indexes), times])
        if now != noted:
            await self._store.note(NOTE, now)
        if indexes is None:
            return
        parts = (self._assembler.fingerprint, self._contract.signature, times)
        self._salt = blake2b(repr(parts).encode()).digest()

    def of(self, rows: Sequence[Row], members: Members) -> bytes:
        """NO_DIGEST of anything but one row."""
        return NO_DIGEST if self._salt is None or len(rows) != 1 else rows[0].digest(members, self._salt)
