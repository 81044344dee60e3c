"""Keys that were stored while the order key had another shape.

An OMS's primary key gets a column more, another type, another label of an enum; a mapping is followed by another table.
What is stored by the old keys is then of former keys, and an order of today takes over what is stored at its own place:
order id and store. What nobody has taken over at the end of a sweep has left the mapping. It must not know Postgres's
types, nor how an order is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from connector.model.errors import ConnectorError
from connector.model.orders import KeyColumn, KeyShape, OrderKey, Place
from connector.pipeline.context import Context
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.failpoints import reach
from connector.pipeline.sweeps.state import Sweeps

log = structlog.get_logger("connector.pipeline")

KEY_NOTE = "order_key"
KEY_CHANGED = "the order key changed"
"""A sweep's cause, and a hold's."""
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class KeyNote:
    """What a store remembers of the order key. `changes`: how many it has seen; `changing`: keys are becoming former
    ones; `quiet_until`: until then a request under a former key may still be carried out late."""

    shape: KeyShape | None
    changes: int = 0
    changing: bool = False
    quiet_until: float | None = None

    @classmethod
    def parsed(cls, text: str | None) -> KeyNote | None:
        if text is None:
            return None
        found: dict[str, Any] = json.loads(text)
        return cls(_shape(found["shape"]), found["changes"], found["changing"], found["quiet_until"])

    @property
    def text(self) -> str:
        return json.dumps(asdict(self))

    def holds_for(self, shape: KeyShape) -> bool:
        """Whether the keys that are stored are today's."""
        return not self.changing and self.shape is not None and shape.continues(self.shape)


def _shape(found: dict[str, Any] | None) -> KeyShape | None:
    if found is None:
        return None
    columns = [KeyColumn(one["name"], one["form"], tuple(one["labels"]), one["number"]) for one in found["columns"]]
    return KeyShape(found["table"], tuple(columns), found["oid"])


class FormerKeys:
    def __init__(self, context: Context, sweeps: Sweeps, queue: LedgerQueue) -> None:
        self._store = context.store
        self._assembler = context.assembler
        self._in_work = context.in_work
        self._sweeps = sweeps
        self._queue = queue
        self._changes = 0
        self._taken = 0

    async def load(self) -> bool:
        """At start, before anything is taken in or looked at: whether the key has another shape than the stored keys
        have. Those are former ones then, and a sweep over all orders is stored."""
        shape = self._assembler.key_shape
        note = KeyNote.parsed(await self._store.noted(KEY_NOTE))
        if note is not None:
            self._changes = note.changes
        if shape is None:
            return False
        if note.holds_for(shape) if note is not None else not await self._any_misfit():
            self._wait(note)
            if note is None or note.shape != shape:
                await self._note(replace(note or KeyNote(shape), shape=shape))
            return False
        await self._change(note or KeyNote(None), shape)
        return True

    async def mark_all_former(self) -> None:
        """Keys are about to come back that may be from before a change. The next `load` makes all former ones."""
        note = KeyNote.parsed(await self._store.noted(KEY_NOTE))
        if note is not None and note.changes:
            await self._note(replace(note, changes=note.changes + 1, changing=True))

    async def _any_misfit(self) -> bool:
        """Of a store that doesn't know the shape of its keys, because an older version wrote it."""
        after: OrderKey | None = None
        try:
            while page := await self._store.page_checkpoints(after, PAGE):
                if await self._assembler.misfits(page):
                    return True
                after = page[-1]
        except ConnectorError as error:
            log.warning("order_key_not_compared", problem=str(error))
        return False

    async def _change(self, note: KeyNote, shape: KeyShape) -> None:
        """Each step may be the last one before a kill; then the next start does all of it again."""
        late = await self._store.late_until()
        quiet = max((one for one in (note.quiet_until, late) if one is not None), default=None)
        note = KeyNote(
            note.shape, note.changes if note.changing else note.changes + 1, changing=True, quiet_until=quiet
        )
        await self._note(note)
        reach("former.after_note")
        checkpoints = (await self._store.tally()).checkpoints
        log.warning(
            "order_key_changed",
            before=None if note.shape is None else str(note.shape),
            now=str(shape),
            checkpoints=checkpoints,
            next="every order takes over what is stored at its id and store; what is left then has left the mapping",
        )
        await self._sweeps.begin_anew(
            KEY_CHANGED, min((one.revision for one in await self._store.unseen()), default=None)
        )
        reach("former.after_sweep")
        await self._store.retire_all(note.changes)
        reach("former.after_retire")
        note = replace(note, shape=shape, changing=False)
        await self._note(note)
        self._changes = note.changes
        self._wait(note)

    def _wait(self, note: KeyNote | None) -> None:
        if note is not None and note.quiet_until is not None:
            self._queue.quiet_until = note.quiet_until

    async def _note(self, note: KeyNote) -> None:
        await self._store.note(KEY_NOTE, note.text)

    @property
    def exist(self) -> bool:
        """Whether there may be former keys."""
        return self._changes > 0

    async def claim(self, wanted: Mapping[OrderKey, Place]) -> frozenset[OrderKey]:
        """Let orders without checkpoints take over what is stored at their places. Returns those that did."""
        if not wanted:
            return frozenset()
        taken = await self._store.take_over(wanted, self._in_work.keys)
        reach("former.after_claim")
        self._taken += len(taken)
        return taken

    async def retire(self, keys: Sequence[OrderKey]) -> None:
        """These were found to be no keys of today. A sweep judges them, once every order had its chance."""
        if not self.exist:
            note = KeyNote.parsed(await self._store.noted(KEY_NOTE))
            self._changes = 1
            counted = replace(note or KeyNote(self._assembler.key_shape), changes=1)
            await self._note(counted)
        await self._store.retire(keys, self._changes)
        log.warning("order_keys_unfit", orders=len(keys), first=keys[0], next="the next reconcile judges them")

    def sweep_over(self, left: int) -> None:
        """A sweep is through with what was left of former keys."""
        if self._taken or left:
            log.info("former_keys_judged", taken_over=self._taken, left_the_mapping=left)
        self._taken = 0
