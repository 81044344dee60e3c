"""What to do with one order, once its present state and its checkpoint are known. Pure: no I/O, no clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from connector.errors import InvalidOrder, OrderUnreadable
from connector.orders import Document, Members, Order, Outcome, OutcomeKind
from connector.pipeline.gate import ORDER_BACKOFF
from connector.pipeline.ports import Again, Checkpoint, Contract, DeadLetter, Entry, Settlement


class Result(StrEnum):
    """The label values of `orders_total`."""

    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    INVALID = "invalid"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing to send. `result` None: the order is looked at again, so it isn't counted yet."""

    settlement: Settlement
    result: Result | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One intended push. `hidden`: a transaction that affected the order isn't visible yet: look again after."""

    entry: Entry
    order: Order
    hidden: bool
    members: Members


@dataclass(frozen=True, slots=True)
class Remembered:
    checkpoint: Checkpoint | None
    dead_letter: DeadLetter | None


def decide(
    entry: Entry,
    documents: Sequence[Document],
    remembered: Remembered,
    contract: Contract,
    *,
    hidden: bool,
    now: float,
    members: Members,
) -> Settled | Delivery:
    """Diff one order. `hidden`: the snapshot doesn't show every transaction that affected it. `members`: the child rows
    that it was made of; the reverse index holds them from the moment that Redo holds, or may hold, this state."""
    again = look_again(entry, now) if hidden else None
    if not documents:
        return _left_the_mapping(entry, remembered, again)
    if len(documents) > 1:
        message = f"the mapping returns {len(documents)} rows for this order: group or filter so that there is one"
        return refuse(entry, "duplicate", message, now, again=again)
    try:
        order = contract.order(documents[0], entry.since)
    except InvalidOrder as error:
        if again is not None:
            return Settled(Settlement(entry, again=again), None)
        paths = tuple(getattr(violation, "path", "") for violation in error.violations)
        return refuse(entry, "invalid", str(error), now, paths=paths)
    return _compare(entry, order, remembered, again, members)


def _compare(
    entry: Entry, order: Order, remembered: Remembered, again: Again | None, members: Members
) -> Settled | Delivery:
    checkpoint, dead_letter = remembered.checkpoint, remembered.dead_letter
    if not entry.confirm:
        if checkpoint is not None and not checkpoint.missing and _same(checkpoint, order):
            exact = None if again else members
            settlement = Settlement(entry, clear_dead_letter=dead_letter is not None, again=again, members=exact)
            return Settled(settlement, None if again else Result.UNCHANGED)
        if dead_letter is not None and dead_letter.fingerprint == order.fingerprint:
            return Settled(Settlement(entry, again=again), None if again else Result.UNCHANGED)
    return Delivery(entry, order, again is not None, members)


def _same(checkpoint: Checkpoint, order: Order) -> bool:
    return checkpoint.fingerprint == order.fingerprint and checkpoint.order_id == order.order_id


def _left_the_mapping(entry: Entry, remembered: Remembered, again: Again | None) -> Settled:
    """`mapping.missing = ignore`: Redo keeps the order; the checkpoint is marked so that its return is noticed."""
    checkpoint = remembered.checkpoint
    if again is not None:
        return Settled(Settlement(entry, again=again), None)
    clear = remembered.dead_letter is not None
    if checkpoint is None or checkpoint.missing:
        return Settled(Settlement(entry, clear_dead_letter=clear), Result.UNCHANGED)
    marked = replace(checkpoint, missing=True)
    return Settled(Settlement(entry, marked, clear_dead_letter=clear, members={}), Result.MISSING)


def look_again(entry: Entry, now: float) -> Again:
    """Soon at first, then once a second: with synchronous replication a commit may stay hidden for minutes."""
    delay = min(1.0, max(0.02, (now - entry.since) * 0.2))
    return Again(now + delay, entry.attempts, entry.confirm)


def refuse(
    entry: Entry,
    reason: str,
    message: str,
    now: float,
    *,
    paths: tuple[str, ...] = (),
    again: Again | None = None,
) -> Settled:
    """A dead letter that cost no request."""
    letter = DeadLetter(entry.key, reason, message, paths, None, now, now, entry.attempts + 1)
    return Settled(Settlement(entry, dead_letter=letter, again=again), None if again else Result.INVALID)


def unreadable(entry: Entry, error: OrderUnreadable, now: float) -> Settled:
    return refuse(entry, "mapping", str(error), now)


def conclude(delivery: Delivery, outcome: Outcome, now: float) -> Settled:
    """Redo's answer to a push becomes a checkpoint, a dead letter, or another attempt."""
    entry, order = delivery.entry, delivery.order
    again = look_again(replace(entry, confirm=False), now) if delivery.hidden else None
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            checkpoint = Checkpoint(
                entry.key, order.order_id, order.fingerprint, now, outcome.redo_id, digest=order.digest
            )
            exact = None if again else delivery.members
            settlement = Settlement(entry, checkpoint, clear_dead_letter=True, again=again, members=exact)
            return Settled(settlement, Result.PUSHED)
        case OutcomeKind.REJECTED:
            return _rejected(delivery, outcome, now, again)
        case OutcomeKind.REFUSED | OutcomeKind.THROTTLED:
            return Settled(Settlement(entry, again=Again(now, entry.attempts, entry.confirm)), None)
        case OutcomeKind.UNAVAILABLE | OutcomeKind.UNKNOWN:
            uncertain = outcome.kind is OutcomeKind.UNKNOWN or outcome.status is not None
            due = now + ORDER_BACKOFF.delay(entry.attempts)
            return Settled(Settlement(entry, again=Again(due, entry.attempts + 1, entry.confirm or uncertain)), None)
        case _:
            assert_never(outcome.kind)


def _rejected(delivery: Delivery, outcome: Outcome, now: float, again: Again | None) -> Settled:
    entry = delivery.entry
    paths = tuple(violation.path for violation in outcome.violations)
    words = "; ".join(str(violation) for violation in outcome.violations) or outcome.message
    letter = DeadLetter(
        entry.key,
        "rejected",
        words,
        paths,
        delivery.order.fingerprint,
        now,
        now,
        entry.attempts + 1,
        outcome.status,
    )
    return Settled(Settlement(entry, dead_letter=letter, again=again), Result.REJECTED)


def put_back(delivery: Delivery, now: float) -> Settled:
    """The gate closed before the order was sent."""
    entry = delivery.entry
    return Settled(Settlement(entry, again=Again(now, entry.attempts, entry.confirm)), None)
