"""Log lines for orders, a few at a time: a mapping that fails for everyone must not write a line for everyone."""

from __future__ import annotations

import asyncio
import logging

import structlog

from connector.model.orders import Outcome, OutcomeKind, delivery_id, order_id_of, typed
from connector.pipeline.deliveries import Delivery, Settled
from connector.pipeline.examine.slow_orders import ADVICE as SLOW_ADVICE
from connector.pipeline.examine.slow_orders import SLOW
from connector.pipeline.ports.records import FAILING, DeadLetter

log = structlog.get_logger("connector.pipeline")

AT_MOST = 20
EVERY = 60.0


class RefusalLog:
    """At most AT_MOST refusals a minute are logged one by one; the others are counted and logged together at its end.
    Use within one event loop."""

    def __init__(self) -> None:
        self._minute: asyncio.TimerHandle | None = None
        self._said = 0
        self._silent = 0

    def refused(self, letter: DeadLetter) -> None:
        if letter.reason == FAILING:
            self._fails(letter)
            return
        if self._minute is None:
            self._minute = asyncio.get_running_loop().call_later(EVERY, self.end)
        if self._said >= AT_MOST:
            self._silent += 1
            return
        self._said += 1
        if letter.reason == SLOW:
            log.warning(
                "order_set_aside", order=letter.key, order_id=_id(letter), problem=letter.message, next=SLOW_ADVICE
            )
            return
        log.warning(
            "order_refused",
            order=letter.key,
            order_id=_id(letter),
            delivery=delivery_id(letter.fingerprint),
            reason=letter.reason,
            fields=list(letter.paths) or None,
            status=letter.status,
            next=f"redo-connector dead-letters show {typed(letter.key)}",
        )

    def end(self) -> None:
        """The minute is over, or nothing more is to be logged: tell how many had no line."""
        if self._minute is not None:
            self._minute.cancel()
        if self._silent:
            log.warning("orders_refused", count=self._silent, next="redo-connector dead-letters list")
        self._minute, self._said, self._silent = None, 0, 0

    def _fails(self, letter: DeadLetter) -> None:
        """Once an order, not each time that it fails; few at once, because it takes ten minutes to be said of one."""
        if letter.attempts > 1:
            command = f"redo-connector dead-letters set-aside {typed(letter.key)}"
            log.warning(
                "order_fails_again_and_again",
                order=letter.key,
                order_id=_id(letter),
                attempts=letter.attempts,
                status=letter.status,
                problem=letter.message,
                next=f"it is tried again by itself; {command} gives up on it",
            )


def _id(letter: DeadLetter) -> str | None:
    """As people know the order, where that is known."""
    return order_id_of(letter.order_id) or None


def log_answer(delivery: Delivery, outcome: Outcome, settled: Settled, seconds: float) -> None:
    """One request and what came of it, for whoever follows one order: at debug level, because it's a line for each."""
    if outcome.kind is OutcomeKind.ACCEPTED and delivery.order is not None and outcome.redo_id is None:
        # Without the order's key: a few lines a minute, even if all answers are so.
        log.warning("redo_id_not_kept", problem="Redo's id of an order is too long for one, or doesn't print")
    if not log.is_enabled_for(logging.DEBUG):
        return
    log.debug(
        "delivery",
        order=delivery.entry.key,
        order_id=order_id_of(delivery.place.order_id) or None,
        delivery=delivery_id(delivery.order.fingerprint if delivery.order is not None else None),
        action=delivery.action.value,
        attempt=delivery.entry.attempts + 1,
        answer=outcome.kind.value,
        status=outcome.status,
        reason=outcome.reason or None,
        result="again" if settled.result is None else settled.result.value,
        seconds=round(seconds, 3),
    )
