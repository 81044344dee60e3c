"""Remembers the last hour by the minute, and what happened since the process started: in memory, and bounded. Each look
compares the facts with those of the look before.

It must not know where the facts come from, nor who shows what is remembered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from connector.pipeline.ports.holds import HoldState
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.status.attention import kept_back
from connector.status.facts import Counts, Facts, State
from connector.status.headline import paused, stalled
from connector.status.last_hour import Event, Minute

MINUTE: Final = 60.0
HOUR: Final = 60
"""Minutes that are kept, the present one included."""
EVENTS: Final = 100
"""Beside those that go on."""
TOLD_EVERY: Final = 5.0
"""Seconds between two states of the present minute that are told: charts that move all the time can't be pointed at."""
SAME_WITHIN: Final = 30.0
"""Seconds after which what ended and begins again is told as another event."""
WORTH_TELLING: Final = {State.CATCHING_UP.value: 30.0}
"""Seconds from which on something is an event; others are at once."""
_SPELLS: Final = {
    State.DISCONNECTED: "Disconnected from the OMS database",
    State.CATCHING_UP: "Catching up",
    State.BACKFILLING: "Filling Redo for the first time",
    State.STANDBY: "Standing by",
}

Name = tuple[str, str]
"""The kind of an event that lasts, and which of that kind."""


@dataclass(frozen=True, slots=True)
class _Pace:
    """How many orders a sweep had dealt with at `at`."""

    at: float
    done: int


class Timeline:
    """`started_at`: when the process started (seconds since 1970)."""

    def __init__(self, started_at: float | None = None) -> None:
        started = time.time() if started_at is None else started_at
        self._started_at = started
        self._minutes: deque[Minute] = deque(maxlen=HOUR)
        self._events: deque[Event] = deque([Event("started", started, "Started")], maxlen=EVENTS)
        """What is over."""
        self._going_on: dict[Name, Event] = {}
        self._over: dict[Name, Event] = {}
        """The latest that ended lately, by name."""
        self._pending: dict[Name, float] = {}
        self._counts = Counts()
        self._fingerprint: str | None = None
        self._gap_at: float | None = None
        self._swept = -1
        self._paces: deque[_Pace] = deque()
        self._sweep: int | None = None
        self._known_minutes: tuple[Minute, ...] = ()
        self._known_events: tuple[Event, ...] = ()
        self._told: float | None = None
        """As of when the minutes are known."""

    def look(self, facts: Facts) -> None:
        """Once a second or so, whatever the state."""
        self._count(facts)
        self._follow_sweep(facts)
        if facts.state is not State.STOPPING:
            self._notice(facts)
            self._note_spells(facts)
        if self._told is None or not 0 <= facts.now - self._told < TOLD_EVERY:
            self._told, self._known_minutes = facts.now, tuple(self._minutes)
        self._known_events = (*_latest(self._going_on.values()), *_latest(self._events))

    def add_to(self, facts: Facts) -> Facts:
        """The facts with what is remembered."""
        pace = self._sweep_pace()
        return replace(facts, minutes=self._known_minutes, events=self._known_events, sweep_per_second=pace)

    def _count(self, facts: Facts) -> None:
        began = facts.now - facts.now % MINUTE
        while self._minutes and self._minutes[-1].at > began:
            self._minutes.pop()  # the wall's clock was set back
        while self._minutes and self._minutes[0].at <= began - HOUR * MINUTE:
            self._minutes.popleft()
        present = self._minutes.pop() if self._minutes and self._minutes[-1].at == began else Minute(began)
        counts, before = facts.counts, self._counts
        refused = counts.rejected + counts.invalid - before.rejected - before.invalid
        known = [lag for lag in (present.lag, facts.sync_lag_seconds) if lag is not None]
        self._minutes.append(
            Minute(
                began,
                max(known, default=None),
                present.pushed + max(0, counts.pushed - before.pushed),
                present.refused + max(0, refused),
            )
        )
        self._counts = counts

    def _follow_sweep(self, facts: Facts) -> None:
        sweep = facts.sweep
        running = sweep.revision if sweep is not None and sweep.finished_at is None else None
        if running != self._sweep:
            self._sweep = running
            self._paces.clear()
            if sweep is not None and facts.now - sweep.started_at <= MINUTE:
                self._paces.append(_Pace(sweep.started_at, 0))
        if sweep is None or running is None:
            return
        self._paces.append(_Pace(facts.now, facts.sweep_done))
        while facts.now - self._paces[0].at > MINUTE:
            self._paces.popleft()

    def _sweep_pace(self) -> float | None:
        if len(self._paces) < 2:
            return None
        first, last = self._paces[0], self._paces[-1]
        took, dealt_with = last.at - first.at, last.done - first.done
        return dealt_with / took if took > 0 and dealt_with >= 0 else None

    def _notice(self, facts: Facts) -> None:
        """What happens at a moment."""
        fingerprint, gap, swept = facts.mapping_fingerprint, facts.stream_gap_at, facts.last_reconcile
        if fingerprint and fingerprint != self._fingerprint:
            if self._fingerprint:
                self._events.append(Event("mapping_taken_up", facts.now, "Another mapping was taken up"))
            self._fingerprint = fingerprint
        if gap is not None and gap != self._gap_at:
            self._gap_at = gap
            self._events.append(Event("stream_gap", gap, f"The stream may lack changes ({facts.stream_gap})"))
        if swept is not None and swept.finished_at is not None and swept.revision != self._swept:
            self._swept = swept.revision
            if swept.finished_at >= self._started_at:
                self._events.append(Event("compared", swept.finished_at, _found(swept)))

    def _note_spells(self, facts: Facts) -> None:
        """What begins and ends."""
        now, present = facts.now, _spells(facts)
        if facts.state is State.STARTING:  # between two generations nothing has ended
            present = {name: (event.at, event.text) for name, event in self._going_on.items()} | present
        for name in self._going_on.keys() - present.keys():
            self._over[name] = replace(self._going_on.pop(name), until=now, open=False)
            self._events.append(self._over[name])
        self._pending = {name: since for name, since in self._pending.items() if name in present}
        for name, (since, text) in present.items():
            if name in self._going_on:
                self._going_on[name] = replace(self._going_on[name], text=text)  # a hold may have grown
            else:
                self._begin(name, since, text, now)
        self._over = {name: one for name, one in self._over.items() if now - (one.until or now) <= SAME_WITHIN}

    def _begin(self, name: Name, since: float, text: str, now: float) -> None:
        before = self._over.pop(name, None)
        if before is not None:
            self._events = deque((one for one in self._events if one is not before), maxlen=EVENTS)
            self._going_on[name] = replace(before, until=None, open=True)
            return
        since = self._pending.setdefault(name, since)
        if now - since >= WORTH_TELLING.get(name[0], 0.0):
            del self._pending[name]
            self._going_on[name] = Event(name[0], since, text, open=True)


def _latest(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.at, reverse=True)


def _spells(facts: Facts) -> dict[Name, tuple[float, str]]:
    """What goes on: since when, in words."""
    found: dict[Name, tuple[float, str]] = {}
    if facts.paused_reason is not None:
        found["paused", facts.paused_reason] = (facts.paused_since or facts.now, paused(facts))
    if facts.state in _SPELLS:
        found[facts.state.value, ""] = (facts.now, _SPELLS[facts.state])
    if facts.state is State.STALLED:
        found[facts.state.value, ""] = (facts.now, stalled(facts))
    if (refused := facts.mapping_refused) is not None:
        found["mapping_refused", ""] = (refused.since, f"The mapping is refused: {refused.where}")
    if facts.failing_tables:
        text = f"The OMS's own UPDATEs of {', '.join(facts.failing_tables)} fail"
        found["oms_statements_fail", ""] = (facts.now, text)
    for hold in facts.holds:
        if hold.state is HoldState.HELD:
            found["held", str(hold.number)] = (hold.opened_at, f"Hold {hold.number}: {kept_back(hold)}")
    return found


def _found(sweep: Sweep) -> str:
    held = f", {sweep.held:,} held" if sweep.held else ""
    if sweep.kind is SweepKind.BACKFILL:
        return f"First fill done: {sweep.pushed:,} pushed, {sweep.refused:,} refused{held}"
    differed = sweep.missed + sweep.changed + sweep.extra
    return f"Every order compared: {f'{differed:,} differed' if differed else 'nothing differed'}{held}"
