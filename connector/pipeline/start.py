"""The start of a run: what the last one left is picked up, and where orders may have been missed a sweep is asked for.

Nothing is repeated here that the store can't write: a start that fails ends.
"""

from __future__ import annotations

import structlog

from connector.model.orders import OrderKey
from connector.pipeline.deliveries import MAPPING
from connector.pipeline.examine.slow_orders import SLOW
from connector.pipeline.holds.endpoints import Change
from connector.pipeline.options import Options
from connector.pipeline.ports.holds import HoldKind
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.stations import Stations
from connector.pipeline.sweeps.state import MAPPING_CHANGED, TERMS_CHANGED

log = structlog.get_logger("connector.pipeline")

MAPPING_NOTE = "mapping_fingerprint"
BASIS_NOTE = "mapping_basis"
SETTING_UP_NOTE = "setting_up"
"""`yes` from before a slot may be made until the sweep that must follow it is durable."""
CONFIRM_NOTE = "confirm_after"
TERMS_NOTE = "contract_terms"
PAGE = 5_000


class Start:
    def __init__(self, stations: Stations, options: Options) -> None:
        self._stations = stations
        self._options = options
        self._store = stations.context.store
        self._fingerprint = stations.context.assembler.fingerprint

    async def run(self) -> None:
        """Before anything is read or pushed."""
        stations = self._stations
        now = stations.context.clock.now()
        late_until = now + self._options.terms.confirm_after
        longest = await self._longest_confirmation()
        stations.context.revisions.start_after(
            await self._store.recover(late_until=late_until, now=now, longest=now + longest)
        )
        change = await stations.endpoints.change()
        await stations.context.row_digests.load(self._options.indexes, void=change is not None)
        if change is not None:
            await self._before_change(change)
        await stations.endpoints.load(change, late_until)
        await self._load_unread()
        # No store is paused at the start of a run: what waited for the pauses of the last one needn't.
        await self._store.hasten()
        await stations.manual_pause.load()
        await stations.visibility.load()
        await stations.sweeps.load()
        await stations.vanished_rows.load()
        key_changed = await stations.former.load()
        await stations.reviews.load()
        filled_anew = await stations.first_fill.load()
        await self._ask_for_sweep(swept=key_changed or filled_anew)

    async def _longest_confirmation(self) -> float:
        """How long a request of the last run or of this one may still be carried out (s)."""
        now, before = self._options.terms.confirm_after, await self._store.noted(CONFIRM_NOTE)
        if before != repr(now):
            await self._store.note(CONFIRM_NOTE, repr(now))
        return max(now, float(before)) if before else now

    async def _load_unread(self) -> None:
        """Orders that the last run set aside are read apart from the start, those that the mapping failed for again."""
        letters = (await self._store.tally()).dead_letters
        if letters.get(MAPPING):
            self._stations.second_looks.suspect()
        for group in await self._store.letter_groups() if letters.get(SLOW) else ():
            after: OrderKey | None = None
            while group.reason == SLOW and (keys := await self._store.letter_keys(group.group, after, PAGE)):
                self._stations.examiner.slow.load(keys)
                after = keys[-1]

    async def _before_change(self, change: Change) -> None:
        """Other endpoints are about to count, and every hold is about to end."""
        if change.returns:
            await self._stations.former.mark_all_former()
        if change.returns or any(hold.kind is HoldKind.VANISHED for hold in await self._store.holds()):
            await self._stations.vanished_rows.checkpoints_return()

    async def _ask_for_sweep(self, *, swept: bool) -> None:
        """Where one is needed. `swept`: a sweep over all orders was begun just now."""
        stations, options = self._stations, self._options
        vanished_rows, sweeps = stations.vanished_rows, stations.sweeps
        before = await self._store.noted(MAPPING_NOTE)
        if before is not None and options.altered is not None:
            await vanished_rows.doubt(options.altered)
        wanted = self._wanted_sweep(before, swept=swept, other_terms=await self._other_terms())
        if wanted is not None:
            await sweeps.ask(*wanted)
        if (wanted is not None or swept) and vanished_rows.comparison_needed and sweeps.current is not None:
            await vanished_rows.ends_with(sweeps.current.wanted_revision)
        same_stream = before == self._fingerprint and options.sweep_cause is None
        await stations.progress.load(empty=before is None, made=options.slot_made, same_stream=same_stream)
        if before != self._fingerprint:
            await self._store.note(MAPPING_NOTE, self._fingerprint)
        await self._store.note(TERMS_NOTE, stations.context.contract.terms)
        if options.basis is not None:
            await self._store.note(BASIS_NOTE, options.basis)
        await self._store.note(SETTING_UP_NOTE, "no")

    async def _other_terms(self) -> bool:
        """Whether the settings said otherwise of Redo's rules, so that other orders were refused, or sent otherwise."""
        return await self._store.noted(TERMS_NOTE) not in (None, self._stations.context.contract.terms)

    def _wanted_sweep(self, before: str | None, *, swept: bool, other_terms: bool) -> tuple[str, SweepKind] | None:
        """`before`: the fingerprint of the mapping of the last run. `swept`: another one was begun just now."""
        options, vanished_rows = self._options, self._stations.vanished_rows
        if options.backfill == "always" or (before is None and options.backfill == "auto"):
            return "first start" if before is None else "backfill.on_start", SweepKind.BACKFILL
        if before is None or swept:
            return None
        if options.sweep_cause is not None:
            return options.sweep_cause, SweepKind.RECONCILE
        if vanished_rows.comparison_needed:
            return vanished_rows.cause, SweepKind.RECONCILE
        if before != self._fingerprint:
            log.info("mapping_changed", next="every order is compared with its checkpoint")
            return MAPPING_CHANGED, SweepKind.RECONCILE
        if other_terms:
            log.info("contract_settings_changed", next="every order is compared with its checkpoint")
            return TERMS_CHANGED, SweepKind.RECONCILE
        return None
