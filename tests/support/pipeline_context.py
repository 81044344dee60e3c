"""What parts of the pipeline share, for tests of one part."""

from __future__ import annotations

import asyncio
from typing import cast

from connector.checkpoints.opening import in_memory
from connector.contract.order_builder import RedoContract
from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.context import Context
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.deliveries import Terms
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.dispatch.orders_in_work import OrdersInWork
from connector.pipeline.dispatch.revisions import Revisions
from connector.pipeline.dispatch.tasks import Tasks
from connector.pipeline.ports.protocols import Assembler
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.read_pause import ReadPause
from connector.pipeline.read.row_digests import RowDigests
from connector.status.history import History
from connector.status.metrics import Metrics


class NoOrders:
    """An assembler that isn't asked."""

    fingerprint = "f"


def context_for_test(store: CheckpointStore | None = None, clock: Clock = MACHINE) -> Context:
    wake, assembler, contract = asyncio.Event(), cast("Assembler", NoOrders()), RedoContract()
    store = in_memory() if store is None else store
    return Context(
        store=store,
        assembler=assembler,
        row_digests=RowDigests(store, assembler, contract),
        contract=contract,
        observer=Metrics(),
        chronicle=History(),
        terms=Terms(),
        clock=clock,
        revisions=Revisions(),
        in_work=OrdersInWork(StoreAdmissions(4, None)),
        tasks=Tasks(wake),
        wake=wake,
    )


def queue_for_test(context: Context) -> LedgerQueue:
    return LedgerQueue(context, ReadPause(context.clock), Backpressure(context.wake))
