"""What to do with one order, once its present state and its checkpoint are known. Pure: no I/O, no clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector.model.errors import InvalidOrder, OrderUnreadable
from connector.model.orders import Members, Order, Place, Violation
from connector.model.rows import Row
from connector.pipeline.deliveries import (
    MAPPING,
    NOTHING,
    REMOVAL,
    Action,
    Delivery,
    Remembered,
    Result,
    Settled,
    Terms,
)
from connector.pipeline.ports.entries import Again, Entry
from connector.pipeline.ports.protocols import Contract
from connector.pipeline.ports.records import UNKNOWN, Checkpoint, DeadLetter, Settlement


def decide(
    entry: Entry,
    rows: Sequence[Row],
    remembered: Remembered,
    contract: Contract,
    terms: Terms,
    *,
    hidden: bool,
    now: float,
    members: Members,
    row_digest: bytes = b"",
) -> Settled | Delivery:
    """Diff one order. `hidden`: the snapshot doesn't show every
    transaction that affected it. `members`: the child rows that it was made of; the reverse index holds them from the
    moment that Redo holds, or may hold, this state. `row_digest`: of rows and members; one that Redo is known to have
    accepted needs no more work.

    A CANCEL comes back without its order: the payload is the store's to give.
    """
    again = look_again(entry, now) if hidden else None
    if not rows:
        return _left_the_mapping(entry, remembered, terms, again, now)
    if len(rows) > 1:
        message = f"the mapping returns {len(rows)} rows for this order: group or filter so that there is one"
        return refuse(entry, "duplicate", message, now, again=again, remembered=remembered)
    checkpoint = remembered.checkpoint
    if checkpoint is not None and checkpoint.is_of(row_digest) and not must_push(entry, now):
        delivery = Delivery(entry, Action.PUSH, checkpoint.place, None, remembered, hidden, members, row_digest)
        return _in_step(delivery, terms, again, accepted=True)
    try:
        order = contract.order(rows[0].document(), entry.since)
    except OrderUnreadable as error:
        return unreadable(entry, error, now, remembered, hidden=hidden)
    except InvalidOrder as error:
        if again is not None:
            return postpone(entry, again)
        return _invalid(entry, error, now, remembered)
    delivery = Delivery(
        entry, Action.PUSH, order.place, order, remembered, hidden, members, row_digest, suspicions=order.warnings
    )
    if _to_push(entry, order, remembered, now):
        return delivery
    return _in_step(delivery, terms, again, accepted=_accepted(checkpoint, order))


def reaches_new_place(delivery: Delivery, terms: Terms) -> bool:
    """Whether the push is about to bring the order to a place that nothing remembers. The process may die before the
    answer comes, and the order go elsewhere meanwhile: the place is stored first, so that it can be taken away."""
    checkpoint, place = delivery.remembered.checkpoint, delivery.place
    known = checkpoint is not None and checkpoint.place == place
    new = delivery.action is Action.PUSH and not known and place not in delivery.remembered.leftovers
    return new and terms.missing != "ignore"


def must_push(entry: Entry, now: float) -> bool:
    """Redo may hold something else than the checkpoint says, and by now nothing can land after a push any more."""
    return entry.confirm or (entry.late_until is not None and now >= entry.late_until)


def _to_push(entry: Entry, order: Order, remembered: Remembered, now: float) -> bool:
    if must_push(entry, now):
        return True
    letter = remembered.dead_letter
    if _accepted(remembered.checkpoint, order):
        return False
    return letter is None or letter.fingerprint != order.fingerprint


def _accepted(checkpoint: Checkpoint | None, order: Order) -> bool:
    if checkpoint is None or checkpoint.missing:
        return False
    return checkpoint.fingerprint == order.fingerprint and checkpoint.place == order.place


def _in_step(delivery: Delivery, terms: Terms, again: Again | None, *, accepted: bool) -> Settled | Delivery:
    """Redo holds the order as it is (`accepted`), or refused it so. What is left of it elsewhere goes."""
    entry, remembered = delivery.entry, delivery.remembered
    elsewhere = tuple(place for place in remembered.leftovers if place != delivery.place)
    if again is None and elsewhere and terms.missing != "ignore" and not _given_up(entry, remembered):
        return replace(removal(entry, elsewhere[0], remembered, terms), refused=not accepted)
    again = again or wait_for_late(entry)
    settlement = Settlement(
        entry,
        _with_digest(delivery) if accepted and again is None else None,
        clear_dead_letter=accepted and remembered.dead_letter is not None and not elsewhere,
        again=again,
        members=delivery.new_members if accepted and again is None else None,
        settled_places=remembered.leftovers if terms.missing == "ignore" else (),
        warnings=delivery.suspicions if accepted and again is None and delivery.order is not None else None,
    )
    return Settled(settlement, None if again else Result.UNCHANGED)


def _with_digest(delivery: Delivery) -> Checkpoint | None:
    """The checkpoint by which its row is known from now on; None when it is already. After an upgrade that changes the
    digests this is one write an order, in the first sweep."""
    checkpoint, row_digest = delivery.remembered.checkpoint, delivery.row_digest
    if checkpoint is None or not row_digest or checkpoint.row_digest == row_digest:
        return None
    return replace(checkpoint, row_digest=row_digest)


def _left_the_mapping(
    entry: Entry, remembered: Remembered, terms: Terms, again: Again | None, now: float
) -> Settled | Delivery:
    """`ignore`: Redo keeps the order; the checkpoint is marked so that its return is noticed."""
    if again is not None:
        return postpone(entry, again)
    checkpoint = remembered.checkpoint
    present = checkpoint is not None and not checkpoint.missing
    if terms.missing != "ignore" and not _given_up(entry, remembered):
        if checkpoint is not None and (present or must_push(entry, now)):
            return removal(entry, checkpoint.place, remembered, terms)
        if remembered.leftovers:
            return removal(entry, remembered.leftovers[0], remembered, terms)
    if _given_up(entry, remembered):
        return Settled(Settlement(entry), Result.UNCHANGED)
    clear, late = remembered.dead_letter is not None, wait_for_late(entry)
    if checkpoint is None or not present:
        settlement = Settlement(entry, clear_dead_letter=clear, settled_places=remembered.leftovers)
        return Settled(settlement, Result.UNCHANGED)
    if late is not None and terms.missing != "ignore":
        return postpone(entry, late)
    marked = replace(checkpoint, missing=True)
    settlement = Settlement(entry, marked, clear_dead_letter=clear, members={}, settled_places=remembered.leftovers)
    return Settled(settlement, Result.MISSING)


def _given_up(entry: Entry, remembered: Remembered) -> bool:
    """Redo refused the removal for good: only a person tries again."""
    letter = remembered.dead_letter
    return letter is not None and letter.reason == REMOVAL and not entry.confirm


def removal(entry: Entry, place: Place, remembered: Remembered, terms: Terms) -> Delivery:
    """Take the order away from one place."""
    action = Action.DELETE if terms.missing == "delete" else Action.CANCEL
    return Delivery(entry, action, place, None, remembered)


def postpone(entry: Entry, again: Again | None) -> Settled:
    """Nothing becomes of it now."""
    return Settled(Settlement(entry, again=again), None)


def requeue(entry: Entry, due: float) -> Again:
    """Look at it again at `due`, as it is."""
    return Again(due, entry.attempts, entry.confirm, entry.late_until, entry.approved)


def look_again(entry: Entry, now: float) -> Again:
    """Soon at first, then once a second: with synchronous replication a commit may stay hidden for minutes."""
    return requeue(entry, now + min(1.0, max(0.02, (now - entry.since) * 0.2)))


def wait_for_late(entry: Entry) -> Again | None:
    """All is well, but an older request may still land at Redo: look again, and push, once it no longer can."""
    if entry.late_until is None:
        return None
    late = entry.late_until
    return Again(late, 0, confirm=False, late_until=late, approved=entry.approved, since=late)


def refuse(
    entry: Entry,
    reason: str,
    message: str,
    now: float,
    *,
    paths: tuple[str, ...] = (),
    cause: str = "",
    again: Again | None = None,
    remembered: Remembered = NOTHING,
    place: Place | None = None,
) -> Settled:
    """A dead letter that cost no request. `place`: where the order was to go, as far as its row says; where it says
    nothing, it's known by the id that Redo has accepted it by."""
    attempts, cause = entry.attempts + 1, cause or message
    store_id, order_id = ("", "") if place is None else (place.store_id, place.order_id)
    if not order_id and remembered.checkpoint is not None:
        order_id = remembered.checkpoint.order_id
    letter = DeadLetter(entry.key, reason, message, paths, None, now, now, attempts, None, cause, store_id, order_id)
    result = None if again else Result.INVALID
    if again is None and entry.late_until is not None and now < entry.late_until:
        again = wait_for_late(entry)
    return Settled(Settlement(entry, doubtful(entry, remembered), letter, again=again), result)


def doubtful(entry: Entry, remembered: Remembered) -> Checkpoint | None:
    """The checkpoint of an order that was refused, when Redo may hold a state in between: it equals no order any more,
    so that whatever comes next is pushed. None when the checkpoint can be relied on, or there is none."""
    checkpoint = remembered.checkpoint
    if checkpoint is None or checkpoint.missing or not (entry.confirm or entry.late_until is not None):
        return None
    return replace(checkpoint, fingerprint=UNKNOWN, digest=UNKNOWN, row_digest=UNKNOWN)


def _invalid(entry: Entry, error: InvalidOrder, now: float, remembered: Remembered) -> Settled:
    found = [violation for violation in error.violations if isinstance(violation, Violation)]
    paths = tuple(violation.path for violation in found)
    cause = found[0].cause if found else ""
    place = Place(error.store_id, error.order_id)
    return refuse(entry, "invalid", str(error), now, paths=paths, cause=cause, remembered=remembered, place=place)


def unreadable(
    entry: Entry, error: OrderUnreadable, now: float, remembered: Remembered, *, hidden: bool = False
) -> Settled:
    if hidden:
        return postpone(entry, look_again(entry, now))
    return refuse(entry, MAPPING, str(error), now, cause=error.cause, remembered=remembered)
