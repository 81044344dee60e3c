"""One generation: what was built for one mapping and one state of the catalog, and is replaced as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.daemon.health.facts_collector import FactsCollector
from connector.daemon.health.watchdog import Watchdog
from connector.daemon.leadership.term import Term
from connector.daemon.mapping.unusable_mapping import UnusableMapping
from connector.daemon.source.source_objects import SourceObjectsWatch
from connector.daemon.startup import log_slot_waits
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.run import Pipeline
from connector.projection import Assembler, Projection
from connector.source.objects.slot import OnWait
from connector.status.history import History
from connector.status.metrics import Metrics


@dataclass(frozen=True, slots=True)
class ProcessWide:
    """What outlives a generation. Without a watchdog no part is seen to stall; without a term one is begun and ended
    with the generation."""

    metrics: Metrics = field(default_factory=Metrics)
    history: History = field(default_factory=History)
    watchdog: Watchdog | None = None
    on_slot_wait: OnWait = log_slot_waits
    """Told which transactions of the OMS making the slot waits for."""
    term: Term | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    projection: Projection | UnusableMapping
    pipeline: Pipeline
    metrics: Metrics
    facts_collector: FactsCollector
    objects: SourceObjectsWatch
    assembler: Assembler | UnusableMapping
    inbox: Heartbeat

    def heartbeats(self) -> list[Heartbeat]:
        """Of everything that must get on; may be asked from any thread. The mapping watch isn't among them: it may
        have to wait for a slot, and its end is noticed."""
        return [*self.pipeline.heartbeats, *self.facts_collector.heartbeats, self.objects.heartbeat, self.inbox]
