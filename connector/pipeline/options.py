"""What a pipeline is made of and how it is to behave: the rooms behind its ports, and the operator's wishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.pipeline.deliver.policy import LONGEST_PAUSE
from connector.pipeline.deliveries import Terms
from connector.pipeline.holds.limits import Limits
from connector.pipeline.intake.progress import Gap
from connector.pipeline.ports.protocols import Assembler, Chronicle, Contract, Observer, Redo, Routes, Slot, Source
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.sweeps.lookups import INDEX


@dataclass(frozen=True, slots=True)
class Ports:
    """The neighbours."""

    source: Source
    slot: Slot
    routes: Routes
    assembler: Assembler
    contract: Contract
    redo: Redo
    store: CheckpointStore
    observer: Observer
    chronicle: Chronicle


@dataclass(frozen=True, slots=True)
class Options:
    """`backfill`: `auto`, `always`, `never`. `reconcile_every`, `drain_bound`: seconds."""

    max_concurrency: int = 32
    requests_per_second: float | None = None
    longest_pause: float = LONGEST_PAUSE
    """Seconds, whatever Redo asks for."""
    backfill: str = "auto"
    reconcile_every: float | None = 86400.0
    reconcile_per_second: float | None = None
    store_id: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Where each store's orders are pushed to. Without any, checkpoints aren't bound to where they were accepted."""
    approve_endpoints: bool = False
    """Somebody said that orders may go there, whatever was accepted elsewhere."""
    terms: Terms = field(default_factory=Terms)
    limits: Limits = field(default_factory=Limits)
    drain_bound: float = 20.0
    longest_read: float = 0.0
    """Seconds that one query of the assembler may take at most, opening a connection for it included."""
    longest_push: float = 0.0
    """Seconds that one order may take to be sent to Redo, waiting for its turn included."""
    known_routes: frozenset[str] | None = frozenset()
    """None: not known, because the mapping couldn't be loaded."""
    slot_made: Gap | None = None
    """Why the slot was made just now; None: it was there."""
    altered: str | None = None
    """What the mapping stands on and is otherwise than when orders were compared last, so that rows may have vanished.
    None: nothing."""
    basis: str | None = None
    """What it stands on, to be remembered; None leaves what is."""
    sweep_cause: str | None = None
    """What else may have kept changes from the stream, so that every order must be compared; None: nothing."""

    @property
    def indexes(self) -> frozenset[str] | None:
        """The parts of the reverse index; None where the mapping isn't known."""
        routes = self.known_routes
        return None if routes is None else frozenset(route for route in routes if route.startswith(INDEX))
