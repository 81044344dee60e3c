"""What a person should know at the moment, the most urgent first, each with what to do about it. Pure: facts in, words
out; no order key, no value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.ports.records import FAILING, Sweep, SweepKind
from connector.status.facts import SLOW, Facts, State, duration, size
from connector.status.headline import BY_HAND, moment, paused, seen

STEP_DOWN: Final = "redo-connector step-down"
CHECK: Final = "redo-connector check"
DEAD_LETTERS: Final = "redo-connector dead-letters list"
_TONES: Final = ("bad", "busy", "good")
"""The most urgent first."""
_KEPT_BACK: Final = {
    HoldKind.CHANGES: "that would change at Redo",
    HoldKind.ENDPOINT: "for a new address or store",
    HoldKind.FIRST_FILL: "of the first fill, not looked at",
}
"""Of those kinds; the others are about removals."""
_WAIT: Final = "wait, it goes on by itself"
_CAUSES: Final = {"reconcile.every": "it was due (`reconcile.every`)", "asked": "somebody asked for it"}
"""Of sweeps, where these say too little."""
_GATHERED: Final = "Changes are gathered meanwhile, nothing is lost."


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is: `done` of about `whole` orders, `per_second` over the last minute."""

    done: int
    whole: int
    per_second: float | None
    seconds_left: float | None

    @property
    def words(self) -> str:
        """`3,100 of about 5,000, 120 a second, 15 s left`."""
        words = f"{self.done:,} of about {self.whole:,}"
        if self.per_second is not None:
            words += f", {self.per_second:,.0f} a second" if self.per_second >= 1 else ", less than one a second"
        return words if self.seconds_left is None else f"{words}, about {duration(self.seconds_left)} left"


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that is so. `kind` is enumerable; `tone`: `bad`, `busy` or `good`; `next`: what to do, in a sentence;
    `command`: what to type for it. `hold`: the number of the hold that it is about."""

    kind: str
    tone: str
    title: str
    text: str = ""
    next: str = ""
    command: str = ""
    hold: int | None = None
    progress: Progress | None = None


def attention(facts: Facts) -> tuple[Card, ...]:
    """Empty when all is well and nothing is under way."""
    found = (_statements, _state, _standby, _paused, _mapping, _slot, _held, _refused, _sweep)
    return tuple(sorted((card for cards in found for card in cards(facts)), key=lambda card: _TONES.index(card.tone)))


def _statements(facts: Facts) -> Iterator[Card]:
    if facts.failing_tables:
        tables = ", ".join(facts.failing_tables)
        title = f"The OMS's own UPDATEs and DELETEs of {tables} fail"
        text = "A publication publishes updates of a table that has no replica identity any more."
        yield Card("oms_statements_fail", "bad", title, text, "have a DBA run the SQL that this prints, now", CHECK)


def _state(facts: Facts) -> Iterator[Card]:
    reason, step = _sentence(facts.reason), facts.next_step.rstrip(".")
    match facts.state:
        case State.STARTING:
            yield Card("starting", "busy", "Nothing is followed yet", reason, step)
        case State.DISCONNECTED if facts.reconnecting:
            yield Card("disconnected", "busy", "The OMS database was out of reach", f"{reason} Nothing is lost.", step)
        case State.DISCONNECTED:
            title = "The OMS database can't be reached"
            yield Card("disconnected", "bad", title, f"{reason} Nothing is lost.".strip(), step, CHECK)
        case State.STALLED if not facts.mapping_stops:
            yield Card("stalled", "bad", "Orders don't get on", f"{reason} Nothing is lost.".strip(), step, CHECK)
        case State.HELD if facts.unapproved:
            title = "Nothing is pushed there before somebody approves it"
            hold = next((hold.number for hold in facts.holds if hold.kind is HoldKind.ENDPOINT), None)
            yield Card("unapproved", "bad", title, reason, step, "redo-connector approve", hold)
        case State.CATCHING_UP if facts.waiting:
            yield Card("catching_up", "busy", _waits(facts), _pace(facts), _WAIT)
        case State.CATCHING_UP if facts.replication_lag_seconds:
            title = f"What the OMS committed is read {duration(facts.replication_lag_seconds)} late"
            text = f"{size(facts.replication_lag_bytes or 0)} of WAL are still to be read."
            yield Card("catching_up", "busy", title, text, _WAIT)
        case State.CATCHING_UP if facts.silent:
            title = f"The OMS database hasn't told for {duration(facts.sync_lag_seconds or 0.0)} what was committed"
            step = "wait: it is asked again, and given up after `source.silence_timeout`"
            yield Card("catching_up", "busy", title, "Whether anything was isn't known. Nothing is lost.", step)
        case _:
            return


def _standby(facts: Facts) -> Iterator[Card]:
    if facts.state is not State.STANDBY:
        return
    if facts.oms_away:
        title = "This connector couldn't deliver if it led: it can't reach the OMS database"
        step = "see that the network lets this machine through; it is tried again by itself"
        yield Card("oms_away", "bad", title, _sentence(facts.oms_away), step, CHECK)
    if facts.mapping_differs:
        text = "At a takeover every order would be compared with this one's."
        step = "give both the same mapping; it is taken up by itself"
        yield Card("mapping_differs", "busy", "The mapping of this connector isn't the leader's", text, step)
    leader = facts.leader
    if leader is None:
        if facts.oms_away:
            return  # it doesn't look who leads
        yield Card("standby", "busy", "Nobody leads at the moment", "This one does as soon as it may.", "wait a moment")
        return
    page = f"; its page: `{leader.page}`" if leader.page else ""
    ready = " This one takes over once it ends or is cut off." if facts.fit_to_lead else ""
    step = "nothing, or have this one lead" if facts.fit_to_lead else "nothing, as long as it leads"
    title = f"{leader.instance} leads since {moment(leader.since, facts.now)} UTC"
    text = f"It was seen {seen(leader.seen_at, facts.now)}{page}.{ready}"
    yield Card("standby", "good", title, text, step, STEP_DOWN if facts.fit_to_lead else "")


def _paused(facts: Facts) -> Iterator[Card]:
    """Whatever else is wrong at the same time."""
    if facts.paused_reason == BY_HAND:
        title = "Nothing is pushed until somebody resumes it"
        yield Card("paused", "bad", title, _GATHERED, "when it may go on, resume", "redo-connector resume")
    elif facts.state is State.PAUSED:
        step = facts.next_step.rstrip(".")
        yield Card("paused", "bad", "Nothing is pushed to Redo", _sentence(facts.reason), step, "redo-connector resume")
    elif facts.paused_reason is not None:
        step = "mend that; this has Redo tried at once"
        yield Card("paused", "bad", "Nothing is pushed to Redo", f"{paused(facts)}.", step, "redo-connector resume")


def _waits(facts: Facts) -> str:
    waiting = facts.waiting
    return (
        f"{waiting:,} {'change waits' if waiting == 1 else 'changes wait'}, the oldest for {duration(facts.oldest_age)}"
    )


def _pace(facts: Facts) -> str:
    accepted = facts.accepted_per_minute
    words = "" if accepted is None else f"Redo accepted {accepted:,} in the last minute"
    if accepted:
        words += f"; at this pace about {duration(60 * facts.waiting / accepted)} are left"
    if facts.pace is not None:
        words += f"{'; it' if words else 'Redo'} was found to bear {facts.pace:,.1f} requests a second"
    return f"{words}." if words else ""


def _mapping(facts: Facts) -> Iterator[Card]:
    refused = facts.mapping_refused
    if refused is None:
        return
    title, kept = "The mapping was changed, and is refused", "The one before stays at work."
    if facts.mapping_stops:
        title, kept = "The mapping doesn't fit the database", _GATHERED
    if facts.state is State.STANDBY:
        title, kept = "This connector couldn't deliver if it led: its mapping is refused", "The leader's stays at work."
    more = f" {refused.problems} problems in all." if refused.problems > 1 else ""
    text = f"`{refused.where}`: {refused.problem.rstrip('.')}.{more} {kept}"
    step = refused.next.rstrip(".") or "mend it there; it is taken up by itself"
    yield Card("mapping_refused", "bad", title, text, step, CHECK)


def _slot(facts: Facts) -> Iterator[Card]:
    if facts.wal_warning:
        title, text = "The disk of the OMS database fills up", _sentence(facts.wal_warning)
        yield Card("slot", "bad", title, text, facts.wal_advice.rstrip("."))


def _held(facts: Facts) -> Iterator[Card]:
    for hold in facts.holds:
        if hold.kind is HoldKind.ENDPOINT and facts.state is State.HELD and facts.unapproved:
            continue  # told already
        if hold.state is HoldState.GATHERING:
            text = f"Because: {hold.cause}. How many they are is being found out."
            step = "wait until all are found"
            yield Card("gathering", "busy", f"Kept back: {kept_back(hold)}", text, step, hold=hold.number)
        else:
            yield _hold(facts, hold)


def _hold(facts: Facts, hold: Hold) -> Card:
    text = f"Because: {hold.cause}. Hold {hold.number}, since {moment(hold.opened_at, facts.now)} UTC."
    step, command, tone = "see what differs, then let them go", f"redo-connector approve {hold.number} --list", "busy"
    if hold.kind is HoldKind.FIRST_FILL and facts.state is State.HELD:
        step, command, tone = facts.next_step.rstrip("."), CHECK, "bad"
    return Card("held", tone, f"Held for approval: {kept_back(hold)}", text, step, command, hold.number)


def kept_back(hold: Hold) -> str:
    """`4,812 orders that would change at Redo`."""
    return f"{_orders(hold.orders)} {_KEPT_BACK.get(hold.kind, 'to be removed at Redo')}"


def _refused(facts: Facts) -> Iterator[Card]:
    refused, slow, failing = sum(facts.refused.values()), facts.tally.dead_letters.get(SLOW, 0), facts.failing_orders
    if refused:
        text = "Redo doesn't have them as they are now. Each is sent again by itself once it changes."
        step = "mend the cause, then `redo-connector dead-letters redrive`"
        yield Card("refused", "bad", f"Refused: {_orders(refused)}", text, step, DEAD_LETTERS)
    if failing:
        title = f"Failing at Redo again and again: {_orders(failing)}"
        text = "They are still tried, and keep no other order waiting."
        step = "see why; `redo-connector dead-letters set-aside` gives up on them"
        yield Card(FAILING, "busy", title, text, step, DEAD_LETTERS)
    if slow:
        text = "The mapping can't read them within the database's limits; they are tried again by themselves."
        step = "see which; a faster mapping or a longer `source.statement_timeout` ends it"
        yield Card(SLOW, "busy", f"Too slow to be read: {_orders(slow)}", text, step, DEAD_LETTERS)


def _sweep(facts: Facts) -> Iterator[Card]:
    sweep = facts.sweep
    if sweep is None or sweep.finished_at is not None:
        return
    filling = sweep.kind is SweepKind.BACKFILL
    title = "Redo is being filled" if filling else "Every order is being compared with what Redo accepted"
    text = (
        "Live changes go first."
        if filling
        else f"Because: {_CAUSES.get(sweep.cause, sweep.cause)}. Live changes go on meanwhile."
    )
    tone = "busy" if facts.state in (State.BACKFILLING, State.CATCHING_UP) else "good"
    yield Card(sweep.kind.value, tone, title, text, progress=_progress(facts, sweep))


def sweep_seconds_left(facts: Facts) -> float | None:
    """How long the sweep will take at the pace of the last minute; None while that isn't known."""
    sweep = facts.sweep
    if sweep is None or not facts.sweep_per_second or facts.sweep_remaining is None:
        return None
    return (sweep.scanned + facts.sweep_remaining - facts.sweep_done) / facts.sweep_per_second


def _progress(facts: Facts, sweep: Sweep) -> Progress:
    whole = sweep.scanned + (facts.sweep_remaining or 0)
    return Progress(facts.sweep_done, whole, facts.sweep_per_second, sweep_seconds_left(facts))


def _orders(number: int) -> str:
    return "1 order" if number == 1 else f"{number:,} orders"


def _sentence(text: str) -> str:
    if text.partition(" ")[0].isalpha():
        text = text[0].upper() + text[1:]
    return f"{text.rstrip('.')}." if text else ""
