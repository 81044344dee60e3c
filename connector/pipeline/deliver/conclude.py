"""What becomes of an order once Redo has answered, or once a delivery was dropped before a request. Pure.

What an answer means is `redo`'s to say; what to do about each meaning is the table in `policy`.
"""

from __future__ import annotations

from dataclasses import replace

from connector.model.orders import Order, Outcome, OutcomeKind, Place
from connector.pipeline.deliver.failing_orders import Failure
from connector.pipeline.deliver.policy import POLICY, Fate
from connector.pipeline.deliveries import REMOVAL, Action, Delivery, Result, Settled, Terms
from connector.pipeline.examine.decide import doubtful, look_again, reaches_new_place, requeue, wait_for_late
from connector.pipeline.ports.entries import Again, Entry
from connector.pipeline.ports.records import FAILING, SET_ASIDE, UNKNOWN, Checkpoint, DeadLetter, Settlement


def conclude(
    delivery: Delivery,
    outcome: Outcome,
    sent_at: float,
    now: float,
    terms: Terms,
    failure: Failure | None = None,
    stamp: float | None = None,
) -> Settled:
    """Redo's answer becomes a checkpoint, a dead letter, or another attempt. `sent_at`: when the request began.
    `stamp`: the time by the wall's clock, where that isn't `now`. `failure`: of an outcome after which the order is
    tried AGAIN."""
    match POLICY[outcome.kind].fate:
        case Fate.SETTLED if delivery.action is Action.PUSH:
            return _accepted(delivery, outcome, sent_at, now, terms, now if stamp is None else stamp)
        case Fate.SETTLED:
            return _removed(delivery, outcome, sent_at, now, now if stamp is None else stamp)
        case Fate.DEAD_LETTER:
            return _rejected(delivery, outcome, sent_at, now, terms)
        case Fate.PUT_BACK:
            return put_back(delivery, now, terms)
        case Fate.AGAIN:
            assert failure is not None  # noqa: S101 -- the caller looked
            return _again(delivery, outcome, now, terms, failure)


def _accepted(delivery: Delivery, outcome: Outcome, sent_at: float, now: float, terms: Terms, stamp: float) -> Settled:
    entry, order, old = delivery.entry, delivery.order, delivery.remembered.checkpoint
    assert order is not None  # noqa: S101 -- a PUSH has one
    moved = old is not None and old.place != order.place and not old.missing and terms.missing != "ignore"
    leftovers = (old.place,) if moved and old is not None else ()
    elsewhere = leftovers or tuple(place for place in delivery.remembered.leftovers if place != order.place)
    late = _late_until(entry, sent_at)
    if delivery.hidden:
        again: Again | None = replace(look_again(entry, now), confirm=False, late_until=late)
    elif elsewhere:
        again = Again(now, 0, confirm=False, late_until=late, approved=entry.approved)
    else:
        again = None if late is None else wait_for_late(replace(entry, late_until=late))
    settlement = Settlement(
        entry,
        _checkpoint(delivery, order, outcome, stamp),
        clear_dead_letter=True,
        again=again,
        members=None if delivery.hidden else delivery.new_members,
        payload=order.body if terms.keep_payload else None,
        line_items=delivery.line_items,
        leftovers=leftovers,
        settled_places=(order.place,) if order.place in delivery.remembered.leftovers else _not_there(delivery, terms),
        warnings=delivery.suspicions,
        displaces=delivery.displaces,
    )
    return Settled(settlement, Result.PUSHED)


def _checkpoint(delivery: Delivery, order: Order, outcome: Outcome, stamp: float) -> Checkpoint:
    return Checkpoint(
        delivery.entry.key,
        order.order_id,
        order.fingerprint,
        stamp,
        outcome.redo_id,
        digest=order.digest,
        store_id=order.store_id,
        traits=order.traits,
        # What the snapshot hid may have other child rows: only the next look tells which.
        row_digest=UNKNOWN if delivery.hidden else delivery.row_digest,
    )


def _not_there(delivery: Delivery, terms: Terms) -> tuple[Place, ...]:
    """The place that was stored before the push in case that its outcome stays unknown."""
    return (delivery.place,) if reaches_new_place(delivery, terms) else ()


def _late_until(entry: Entry, sent_at: float) -> float | None:
    """None when nothing that was sent earlier can land after this request."""
    late = entry.late_until
    return late if late is not None and sent_at < late else None


def _removed(delivery: Delivery, outcome: Outcome, sent_at: float, now: float, stamp: float) -> Settled:
    """The order is cancelled or gone at one place; it may be elsewhere too."""
    entry, checkpoint = delivery.entry, delivery.remembered.checkpoint
    late = _late_until(entry, sent_at)
    others = tuple(place for place in delivery.remembered.leftovers if place != delivery.place)
    again = wait_for_late(replace(entry, late_until=late))
    if others and again is None:
        again = Again(now, 0, confirm=False, approved=entry.approved)
    here = checkpoint is not None and checkpoint.place == delivery.place
    # What may still land there must be taken away once more. A cancelled checkpoint stays and says so itself.
    remains = (delivery.place,) if late is not None and not (here and delivery.action is Action.CANCEL) else ()
    settlement = Settlement(
        entry,
        _cancelled(delivery, outcome, stamp) if here else None,
        clear_dead_letter=not others and not delivery.refused,
        again=again,
        members={} if here else None,
        forget=here and delivery.action is Action.DELETE,
        leftovers=remains,
        settled_places=() if remains or here else (delivery.place,),
    )
    return Settled(settlement, Result.MISSING)


def _cancelled(delivery: Delivery, outcome: Outcome, stamp: float) -> Checkpoint | None:
    checkpoint, order = delivery.remembered.checkpoint, delivery.order
    if checkpoint is None or delivery.action is Action.DELETE:
        return None
    if order is None:
        return replace(checkpoint, missing=True)
    return replace(
        checkpoint,
        fingerprint=order.fingerprint,
        digest=order.digest,
        row_digest=UNKNOWN,
        accepted_at=stamp,
        redo_id=outcome.redo_id or checkpoint.redo_id,
        missing=True,
    )


def _rejected(delivery: Delivery, outcome: Outcome, sent_at: float, now: float, terms: Terms) -> Settled:
    entry, order = delivery.entry, delivery.order
    pushed = delivery.action is Action.PUSH and order is not None
    late = _late_until(entry, sent_at)
    elsewhere = any(place != delivery.place for place in delivery.remembered.leftovers)
    if delivery.hidden:
        again: Again | None = replace(look_again(entry, now), confirm=False)
    elif pushed and elsewhere and terms.missing != "ignore":
        again = Again(now, 0, confirm=False, late_until=late, approved=entry.approved)
    else:
        again = wait_for_late(replace(entry, late_until=late))
    words = "; ".join(str(violation) for violation in outcome.violations) or outcome.message
    letter = DeadLetter(
        entry.key,
        "rejected" if pushed else REMOVAL,
        words,
        tuple(violation.path for violation in outcome.violations),
        order.fingerprint if pushed and order is not None else None,
        now,
        now,
        entry.attempts + 1,
        outcome.status,
        cause=outcome.violations[0].cause if outcome.violations else outcome.message,
        store_id=delivery.place.store_id,
        order_id=delivery.place.order_id,
    )
    doubted = doubtful(entry, delivery.remembered) if pushed else None
    settlement = Settlement(entry, doubted, letter, again=again, settled_places=_not_there(delivery, terms))
    return Settled(settlement, Result.REJECTED)


def put_back(delivery: Delivery, until: float, terms: Terms) -> Settled:
    """It wasn't sent, or Redo throttled all requests: no attempt is spent. Due at `until`."""
    entry = delivery.entry
    return Settled(Settlement(entry, again=requeue(entry, until), settled_places=_not_there(delivery, terms)), None)


def _again(delivery: Delivery, outcome: Outcome, now: float, terms: Terms, failure: Failure) -> Settled:
    entry, checkpoint = delivery.entry, delivery.remembered.checkpoint
    uncertain = POLICY[outcome.kind].must_confirm(outcome)
    late = entry.late_until
    if outcome.kind is OutcomeKind.UNKNOWN:
        late = max(late or 0.0, now + terms.confirm_after)
    elsewhere = checkpoint is None or checkpoint.place != delivery.place
    maybe = (delivery.place,) if uncertain and elsewhere and terms.missing != "ignore" else ()
    pushed = delivery.order if maybe and terms.keep_payload and delivery.action is Action.PUSH else None
    again = Again(now + failure.delay, failure.attempts, entry.confirm or uncertain, late, entry.approved)
    payload = None if pushed is None else pushed.body
    settled = () if uncertain else _not_there(delivery, terms)
    letter = _failing(delivery, outcome, now) if failure.lasting else None
    settlement = Settlement(
        entry, dead_letter=letter, again=again, leftovers=maybe, payload=payload, settled_places=settled
    )
    return Settled(settlement, None)


def _failing(delivery: Delivery, outcome: Outcome, now: float) -> DeadLetter:
    """It stays in the ledger, and goes once Redo takes the order. Without a fingerprint, or it would not be pushed."""
    before = delivery.remembered.dead_letter
    known = before is not None and before.reason == FAILING
    message = outcome.message or outcome.reason
    if outcome.kind is OutcomeKind.REFUSED:
        message = f"{outcome.status}: refused, though Redo takes other orders: a firewall in front of it may do that"
    return DeadLetter(
        delivery.entry.key,
        FAILING,
        message,
        (),
        None,
        now,
        now,
        1 if known else delivery.entry.attempts + 1,
        outcome.status,
        cause=f"Redo fails this order again and again, and takes others ({outcome.reason})",
        store_id=delivery.place.store_id,
        order_id=delivery.place.order_id,
    )


def set_aside(delivery: Delivery, now: float, terms: Terms) -> Settled:
    """A person gave up on an order that fails: it leaves the ledger until it changes or is redriven."""
    entry, order, before = delivery.entry, delivery.order, delivery.remembered.dead_letter
    pushed = delivery.action is Action.PUSH and order is not None
    letter = DeadLetter(
        entry.key,
        SET_ASIDE if pushed else REMOVAL,
        before.message if before is not None else "set aside by hand",
        (),
        order.fingerprint if pushed and order is not None else None,
        now,
        now,
        0 if before is not None else entry.attempts,
        before.status if before is not None else None,
        cause="set aside by hand while Redo failed it",
        store_id=delivery.place.store_id,
        order_id=delivery.place.order_id,
    )
    doubted = doubtful(entry, delivery.remembered) if pushed else None
    return Settled(Settlement(entry, doubted, letter, settled_places=_not_there(delivery, terms)), Result.REJECTED)
