"""What to do about each outcome, as a table: what happened is `OutcomeKind`, what follows from it is here.

`admission` reads the columns about everyone, `conclude` the others. No behaviour beyond that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.backoff import ORDER_BACKOFF, Backoff

FAILURES_TO_CLOSE, REFUSALS_TO_CLOSE = 3, 2
"""Different orders that failed in a row: fewer may be the orders' own fault, and one bad order stops nobody else."""
LONGEST_PAUSE = 900.0
"""Seconds after which a probe is sent whatever `Retry-After` says (`redo.max_pause`): it may be a mistake."""


class Fate(StrEnum):
    """What becomes of the order."""

    SETTLED = "settled"
    DEAD_LETTER = "dead_letter"
    """Refused for good; redelivered by itself when its payload changes."""
    PUT_BACK = "put_back"
    """Back to the ledger, no attempt spent: the order isn't at fault. Due at the store's `pause_until`."""
    AGAIN = "again"
    """Back to the ledger and due after `order_backoff`, with an attempt spent when the order may be at fault."""


class Confirm(StrEnum):
    """Whether Redo may hold what was sent, so that the order is pushed again even when nothing differs."""

    NO = "no"
    IF_ANSWERED = "if_answered"
    """Only when there was an answer: without one, the request surely never reached Redo."""
    YES = "yes"


class Everyone(StrEnum):
    """What all other orders do."""

    GO_ON = "go_on"
    PAUSE = "pause"
    """At once, until one probe is answered otherwise."""
    PAUSE_IF_MANY = "pause_if_many"
    """Once so many different orders failed in a row that weren't known to fail, or when `Retry-After` asks for it."""


@dataclass(frozen=True, slots=True)
class Action:
    """`order_backoff` is None unless the fate is AGAIN, `pause_backoff` None when everyone goes on, `failures_to_pause`
    0 unless that takes many. `advice` is one sentence for the operator; empty when there is nothing to say."""

    fate: Fate
    everyone: Everyone = Everyone.GO_ON
    confirm: Confirm = Confirm.NO
    order_backoff: Backoff | None = None
    pause_backoff: Backoff | None = None
    failures_to_pause: int = 0
    advice: str = ""

    def must_confirm(self, outcome: Outcome) -> bool:
        if self.confirm is Confirm.IF_ANSWERED:
            return outcome.status is not None
        return self.confirm is Confirm.YES


POLICY: dict[OutcomeKind, Action] = {
    OutcomeKind.ACCEPTED: Action(Fate.SETTLED),
    OutcomeKind.REJECTED: Action(
        Fate.DEAD_LETTER,
        advice="Redo does not take this order as it is: mend its data or the mapping, and it is sent again by itself.",
    ),
    OutcomeKind.REFUSED: Action(
        Fate.AGAIN,
        Everyone.PAUSE_IF_MANY,
        order_backoff=ORDER_BACKOFF,
        # One client asks, so jitter spreads nothing; a person who mends the setting wants to see it work soon.
        pause_backoff=Backoff(base=5.0, cap=60.0, floor=5.0, spread=0.2),
        failures_to_pause=REFUSALS_TO_CLOSE,
        advice="check redo.api_secret, redo.store_id and redo.base_url: Redo refuses every order.",
    ),
    OutcomeKind.THROTTLED: Action(
        Fate.PUT_BACK,
        Everyone.PAUSE,
        pause_backoff=Backoff(base=1.0, cap=60.0, floor=0.2),
        advice="wait: Redo asks for fewer requests, and the pace adapts by itself.",
    ),
    OutcomeKind.UNAVAILABLE: Action(
        Fate.AGAIN,
        Everyone.PAUSE_IF_MANY,
        Confirm.IF_ANSWERED,
        order_backoff=ORDER_BACKOFF,
        pause_backoff=Backoff(base=1.0, cap=30.0, floor=0.2),
        failures_to_pause=FAILURES_TO_CLOSE,
        advice="see whether Redo is up and can be reached from here; changes are sent once it answers again.",
    ),
    OutcomeKind.UNKNOWN: Action(
        Fate.AGAIN,
        Everyone.PAUSE_IF_MANY,
        Confirm.YES,
        order_backoff=ORDER_BACKOFF,
        pause_backoff=Backoff(base=1.0, cap=30.0, floor=0.2),
        failures_to_pause=FAILURES_TO_CLOSE,
        advice="see whether Redo is up, and how long it takes to answer; what it may have taken is sent again.",
    ),
}
"""Every OutcomeKind has a row."""
