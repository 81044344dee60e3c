"""The headline: the state in so few words that a screen reader can read it each time it changes. Pure: facts in, text
out."""

from __future__ import annotations

import time
from typing import Final

from connector.status.facts import LAG_WORTH_TELLING, Facts, State, duration, ready
from connector.status.last_hour import Event

BY_HAND: Final = "by_hand"
"""The reason of a pause that somebody asked for."""
_PAUSES: Final = {
    "http_401": "Redo refused the token",
    "http_403": "Redo refused the token's scope",
    "http_404": "Redo knows no such store",
    "tls": "the connection to Redo can't be trusted",
    "dns": "Redo's name can't be resolved",
    "http_429": "Redo asks for fewer requests",
    "timeout": "Redo does not answer",
}
_STATES: Final = {
    State.STARTING: "Starting",
    State.BACKFILLING: "Filling Redo for the first time",
    State.STREAMING: "Delivering: Redo is in step with the OMS",
    State.CATCHING_UP: "Catching up",
    State.DISCONNECTED: "Disconnected from the OMS database",
    State.STALLED: "Stalled",
    State.HELD: "Delivering, and changes of an unlikely size are held for approval",
    State.STANDBY: "Standing by: another connector delivers",
    State.STOPPING: "Stopping",
}
_TOLD_SINCE: Final = (State.DISCONNECTED, State.STALLED)
_A_DAY: Final = 20 * 3600.0
"""Seconds from which on a time of the day says too little."""


def headline(facts: Facts) -> str:
    """One sentence without its full stop. No number in it changes by the second."""
    if facts.state is State.PAUSED:
        return paused(facts) + _since(facts.paused_since, facts.now)
    if facts.state is State.HELD and facts.unapproved:
        return "Held: another address or store of Redo is to be approved"
    if facts.state is State.HELD and facts.first_fill_held:
        return "Held: nearly all orders of the first fill are refused"
    going_on = going_on_as(facts.state.value, facts) if facts.state in _TOLD_SINCE else None
    return _STATES[facts.state] + _since(None if going_on is None else going_on.at, facts.now)


def paused(facts: Facts) -> str:
    """By whom, or why."""
    reason = facts.paused_reason or ""
    if reason == BY_HAND:
        return "Paused by hand"
    return f"Paused: {_PAUSES.get(reason, f'Redo is failing ({reason})' if reason else 'Redo is not reached')}"


def going_on_as(kind: str, facts: Facts) -> Event | None:
    """The event of this kind that isn't over."""
    return next((event for event in facts.events if event.open and event.kind == kind), None)


def tone(facts: Facts) -> str:
    """`good`, `busy` or `bad`."""
    if not ready(facts)[0]:
        return "busy" if facts.state in (State.STARTING, State.STANDBY, State.STOPPING) else "bad"
    return "good" if facts.state is State.STREAMING else "busy"


def lag(seconds: float | None, *, kept_back: bool) -> tuple[str, str, str]:
    """How old Redo's copy may be: the figure, what it means, and its tone. `kept_back`: whether orders are held or
    refused, which it doesn't count."""
    if seconds is None:
        return "unknown", "what Redo has isn't known yet", "busy"
    if seconds < 1.0:
        return "0 s", f"Redo has all {'but what is held or refused' if kept_back else 'that was committed'}", "good"
    tone = "bad" if seconds >= 5 * LAG_WORTH_TELLING else "busy" if seconds >= LAG_WORTH_TELLING else "good"
    return duration(seconds), "Redo may lack what was committed since then", tone


def hour(moment: float) -> str:
    """`14:02`, in UTC."""
    return time.strftime("%H:%M", time.gmtime(moment))


def moment(at: float, now: float) -> str:
    """`14:02`, with the day in front when that isn't the one just past: `30 Nov, 14:02`."""
    return hour(at) if now - at < _A_DAY else time.strftime("%-d %b, %H:%M", time.gmtime(at))


def clock(moment: float) -> str:
    """`2026-11-23 18:38:12`, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


def _since(at: float | None, now: float) -> str:
    return "" if at is None else f" since {moment(at, now)} UTC"
