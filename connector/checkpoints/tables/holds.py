"""Holds: sets of orders that aren't pushed until they are known to be few, or a person approves them.

A hold that is empty has ended, but its row stays for a while: an order that was judged a moment before is written into
it then, and opens it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from connector.checkpoints.engine import Session
from connector.checkpoints.tables import ledger
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival
from connector.pipeline.ports.holds import Held, Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import Settlement

KEPT: Final = 1_000
"""So many numbers back, a hold that has ended is still known."""


def open_hold(session: Session, kind: HoldKind, cause: str, now: float) -> Hold:
    """A new one, gathering."""
    number: int = session.value("hold_open", kind=kind.value, cause=cause, now=now)
    session.run("hold_forget_ended", number=number - KEPT)
    return Hold(number, kind, cause, HoldState.GATHERING, now)


def holds(session: Session) -> list[Hold]:
    """All that haven't ended, oldest first."""
    return [
        Hold(number, HoldKind(kind), cause, HoldState(state), opened_at, orders)
        for number, kind, cause, state, opened_at, orders in session.rows("holds")
    ]


def settle(session: Session, settlements: Sequence[Settlement]) -> None:
    """Put orders into holds, and take those out whose present state was dealt with. Raises ValueError for a hold that
    never was."""
    if done := [one.entry.key for one in settlements if one.held is None and one.again is None]:
        session.run("held_forget", keys=done)
    rows = [_held_row(one.entry.key, one.held) for one in settlements if one.held is not None]
    if rows:
        wanted = {row[1] for row in rows}
        if missing := wanted - set(session.column("hold_numbers", numbers=sorted(wanted))):
            raise ValueError(f"there is no hold {min(missing)}")
        session.run_rows("held_put", rows)


def summarise(session: Session, number: int, samples: int) -> HoldSummary | None:
    """Reads the whole hold: about 0.1 s for a million orders."""
    hold = next((one for one in holds(session) if one.number == number), None)
    if hold is None:
        return None
    fields: Counter[str] = Counter()
    for names, orders in session.rows("held_fields", number=number):
        fields.update(dict.fromkeys(orjson.loads(names), orders))
    some = {key: order_id for key, *_, order_id in session.rows("held_spread", number=number, limit=samples)}
    return HoldSummary(hold, dict(fields), tuple(some), {key: found for key, found in some.items() if found})


def release(session: Session, number: int, arrival: Arrival, limit: int) -> int:
    """Move orders into the ledger. Returns how many."""
    rows = [row[:3] for row in session.rows("held_spread", number=number, limit=limit)]
    ledger.put_back(session, arrival, rows)
    session.run("held_forget", keys=[key for key, *_ in rows])
    session.run("hold_end", number=number)
    return len(rows)


def by_key(rows: Iterable[Sequence[Any]]) -> Mapping[OrderKey, Held]:
    """Rows of the table as records."""
    return {
        key: Held(number, tuple(orjson.loads(fields)), since, bool(confirm), order_id)
        for key, number, _, fields, since, confirm, order_id in rows
    }


def _held_row(key: OrderKey, held: Held) -> tuple[Any, ...]:
    fields = orjson.dumps(held.fields).decode()
    return key, held.hold, _spread(key), fields, held.since, held.confirm, held.order_id


def _spread(key: OrderKey) -> int:
    """Where an order stands in its hold: anywhere, but always the same place. Signed 64 bits."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)
