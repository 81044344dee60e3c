"""Whether failures are Redo's or single orders': when all requests to a store should pause.

Redo is judged by orders that aren't known to fail. One that fails although others are accepted says nothing. It must
not know requests or the ledger; no clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.deliver.policy import POLICY, Everyone

LATELY = 60.0
"""Seconds after an acceptance in which one refusal may be one order's."""
MOST_CAUTIOUS = 8
"""The threshold grows to so many times the table's."""
CALM = 50
"""Acceptances in a row after which it is the table's again."""


class Standing(IntEnum):
    """What earlier attempts say about an order."""

    HEALTHY = 0
    """It never failed, or succeeded last."""
    SUSPECTED = 1
    """It failed, and Redo has accepted nothing since: either may be at fault."""
    FAILING = 2
    """It failed although Redo accepts others: the order is at fault."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is sent: `reason` fits a metric label, `message` and `advice` are for people. `since`, `until`: by
    the ledger's clock (s)."""

    kind: OutcomeKind
    reason: str
    message: str
    since: float
    until: float
    attempt: int

    @property
    def advice(self) -> str:
        return POLICY[self.kind].advice


def reached(outcome: Outcome) -> bool:
    """Whether the request came to Redo, or to something that knows its contents: else no order can be at fault."""
    return outcome.status is not None or outcome.kind is OutcomeKind.UNKNOWN


class CircuitBreaker:
    """Counts failures without an acceptance in between, each order's once. Seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self._unreached = 0
        self._caution = 1
        self._in_a_row = 0
        self._accepted_at: float | None = None

    def accepted(self, now: float) -> None:
        """Redo is up: it took an order, or refused one for its contents."""
        self._failed.clear()
        self._unreached = 0
        self._accepted_at = now
        self._in_a_row += 1
        if self._in_a_row >= CALM:
            self._caution = 1

    def failed(self, order: str, outcome: Outcome, standing: Standing, now: float) -> bool:
        """Whether everyone should pause."""
        row = POLICY[outcome.kind]
        if row.everyone is Everyone.PAUSE:
            return True
        if standing is Standing.FAILING and reached(outcome):
            return False
        self._in_a_row = 0
        if reached(outcome):
            self._failed.add(order)
        else:
            self._unreached += 1
        failures = len(self._failed) + self._unreached
        return failures >= self._threshold(outcome, now) * self._caution

    @property
    def cautious(self) -> bool:
        """Orders were at fault lately."""
        return self._caution > 1

    def false_alarm(self) -> None:
        """The first probe was accepted: orders were at fault. Be slower to pause next time, or many of them among the
        others would cost a pause every few orders."""
        self._caution = min(MOST_CAUTIOUS, 2 * self._caution)

    def _threshold(self, outcome: Outcome, now: float) -> int:
        if outcome.retry_after:
            return 1
        lately = self._accepted_at is not None and now - self._accepted_at < LATELY
        if outcome.kind is OutcomeKind.REFUSED and not (lately and reached(outcome)):
            return 1
        return POLICY[outcome.kind].failures_to_pause
