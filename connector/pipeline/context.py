"""The collaborators and settings that the stations share: one frozen record, made once at the start."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from connector.pipeline.clock import Clock
from connector.pipeline.deliveries import Terms
from connector.pipeline.dispatch.orders_in_work import OrdersInWork
from connector.pipeline.dispatch.revisions import Revisions
from connector.pipeline.dispatch.tasks import Tasks
from connector.pipeline.ports.protocols import Assembler, Chronicle, Contract, Observer
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.row_digests import RowDigests


@dataclass(frozen=True, slots=True)
class Context:
    """`store` repeats what can't be written. `wake` is set when something in the ledger may have fallen due, and makes
    the dispatcher look."""

    store: CheckpointStore
    assembler: Assembler
    row_digests: RowDigests
    contract: Contract
    observer: Observer
    chronicle: Chronicle
    terms: Terms
    clock: Clock
    revisions: Revisions
    in_work: OrdersInWork
    tasks: Tasks
    wake: asyncio.Event
