"""Endpoints: which address and store of Redo accepted what is remembered.

What the active ones accepted is in the tables that everything else reads; what the others did is parked, and comes back
with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.checkpoints.engine import Session
from connector.checkpoints.statements import PARKED
from connector.checkpoints.tables import ledger, notes
from connector.model.orders import OrderKey
from connector.pipeline.failpoints import reach
from connector.pipeline.ports.records import UNKNOWN, Endpoint, Rebinding

LONGEST: Final = 3600.0
"""Seconds that a rebinding may take."""

_START_ANEW: Final = (
    "ledger_disapprove",
    "ledger_forgive",
    "held_forget_all",
    "hold_end_all",
    "letter_forget_unplaced",
    "finished_sweep_forget_all",
)


def endpoints(session: Session) -> list[Endpoint]:
    """All, by store and URL. Counts the checkpoints: a third of a second for a million."""
    return [
        Endpoint(store, url, bool(active), bool(approved), orders)
        for store, url, active, approved, orders in session.rows("endpoints")
    ]


def doubt(session: Session) -> None:
    """What is parked may be older than what was accepted."""
    with session.at_length():
        session.run("parked_doubt_all", unknown=UNKNOWN)


def rebind(session: Session, rebinding: Rebinding) -> None:
    """About half a minute for a million orders that are parked, or brought back."""
    active = {(store, url): number for store, url, number in session.rows("endpoint_active")}
    if set(rebinding.urls.items()) != active.keys():
        with session.at_length():
            _rebind(session, rebinding, active)


def _rebind(session: Session, rebinding: Rebinding, active: Mapping[tuple[str, str], int]) -> None:
    wanted, requeue = set(rebinding.urls.items()), rebinding.requeue
    for endpoint in active.keys() - wanted:
        _park(session, endpoint[0], active[endpoint], doubted=rebinding.doubted)
    reach("endpoints.within_rebind")
    late: list[OrderKey] = []
    for store_id, url in sorted(wanted - active.keys()):
        number = session.value("endpoint_come", store_id=store_id, url=url, approved=rebinding.approved)
        late += _bring_back(session, number)
    if active:
        rows = session.rows("endpoint_requeue", since=requeue.since)
        for name in _START_ANEW:
            session.run(name)
        ledger.put_back(session, requeue, [*rows, *((key, requeue.since, False) for key in late)])
        session.run("ledger_late", late_until=rebinding.late_until, keys=late)
    notes.reach(session, [requeue.revision])
    if rebinding.sweep is not None:
        notes.save_sweep(session, rebinding.sweep)


def _park(session: Session, store_id: str, endpoint: int, *, doubted: bool) -> None:
    session.run("endpoint_leave", endpoint=endpoint)
    for table in PARKED:
        session.run(f"{table}_park", endpoint=endpoint, store_id=store_id)
        session.run(f"{table}_parked", store_id=store_id)
    session.run("parked_doubt", endpoint=endpoint, unknown=UNKNOWN, doubted=doubted)
    session.run("parked_forget_warnings", endpoint=endpoint)


def _bring_back(session: Session, endpoint: int) -> list[OrderKey]:
    """Returns the orders whose outcome was open when it was left."""
    late: list[OrderKey] = session.column("parked_open", endpoint=endpoint, unknown=UNKNOWN)
    session.run("parked_at_both", endpoint=endpoint)
    for table in PARKED:
        session.run(f"{table}_bring_back", endpoint=endpoint)
        session.run(f"{table}_brought_back", endpoint=endpoint)
    return late
