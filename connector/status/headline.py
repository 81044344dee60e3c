"""The headline: the state in so few words that a screen reader can read it each time it changes. Pure: facts in, text
out."""

from __future__ import annotations

import time
from typing import Final

from connector.status.facts import LAG_WORTH_TELLING, Facts, Stage, State, duration
from connector.status.last_hour import Event
from connector.status.verdict import ready

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
    State.DISCONNECTED: "Disconnected from the OMS database",
    State.STANDBY: "Standing by: another connector delivers",
    State.STOPPING: "Stopping",
}
_GOING_ON: Final = {
    State.BACKFILLING: "Filling Redo for the first time",
    State.STREAMING: "Delivering",
    State.CATCHING_UP: "Catching up",
    State.HELD: "Delivering",
}
_STALLS: Final = {
    Stage.SOURCE: "the OMS's changes aren't read",
    Stage.LEDGER: "changes wait, and none is dealt with",
    Stage.MAPPING: "orders can't be read from the OMS",
    Stage.CHECKPOINTS: "the checkpoints can't be written",
}
_TOLD_SINCE: Final = (State.DISCONNECTED, State.STALLED)
_JUST_NOW: Final = 3.0
"""Seconds: a standby looks several times in them."""
_A_DAY: Final = 20 * 3600.0
"""Seconds from which on a time of the day says too little."""


def headline(facts: Facts) -> str:
    """One sentence without its full stop. No number in it changes by the second."""
    if facts.state is State.PAUSED:
        return _dated(paused(facts), facts.paused_since, facts.now)
    if facts.state is State.HELD and facts.unapproved:
        return "Held: another address or store of Redo is to be approved"
    if facts.state is State.HELD and facts.first_fill_held:
        return "Held: nearly all orders of the first fill are refused"
    if facts.state is State.STANDBY and not facts.fit_to_lead:
        return "Standing by, but not fit to take over"
    if facts.state is State.STANDBY and facts.leader is None:
        return "Standing by: nobody leads at the moment"
    if facts.silent:
        return "Waiting for the OMS database to answer"
    if facts.reconnecting:
        return "Reconnecting to the OMS database"
    if facts.state in _GOING_ON:
        return _going_on(facts)
    going_on = going_on_as(facts.state.value, facts) if facts.state in _TOLD_SINCE else None
    said = stalled(facts) if facts.state is State.STALLED else _STATES[facts.state]
    return _dated(said, None if going_on is None else going_on.at, facts.now)


def _going_on(facts: Facts) -> str:
    wrong = _wrong(facts)
    if wrong is not None:
        return f"{_GOING_ON[facts.state]}, but {wrong}"
    in_step = ": Redo is in step with the OMS" if facts.state is State.STREAMING else ""
    return _GOING_ON[facts.state] + in_step


def _wrong(facts: Facts) -> str | None:
    """The worst of what is wrong while orders get on."""
    if facts.failing_tables:
        return "statements of the OMS fail"
    if facts.wal_warning:
        return "the disk of the OMS database fills up"
    if facts.state is State.HELD:
        return "changes of an unlikely size are held for approval"
    if facts.mapping_refused is not None:
        return "a change of the mapping is refused"
    return "some orders are refused" if facts.refused else None


def stalled(facts: Facts) -> str:
    """What doesn't get on."""
    if facts.mapping_stops:
        return "Stalled: the mapping doesn't fit the database"
    if facts.stopped_at is None:
        return "Stalled: a part of the connector hangs"
    return f"Stalled: {_STALLS.get(facts.stopped_at, 'nothing is pushed')}"


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
    if facts.state is State.STANDBY:
        return "bad" if not facts.fit_to_lead else "busy" if facts.leader is None or facts.mapping_differs else "good"
    if not ready(facts)[0]:
        return "busy" if facts.state in (State.STARTING, State.STOPPING) or facts.reconnecting else "bad"
    if facts.failing_tables or facts.wal_warning or facts.first_fill_held:
        return "bad"
    return "good" if facts.state is State.STREAMING and _wrong(facts) is None else "busy"


def lag(seconds: float | None, *, kept_back: bool, filling: bool) -> tuple[str, str, str]:
    """How old Redo's copy may be: the figure, what it means, and its tone. `kept_back`: whether orders are held or
    refused, which it doesn't count; `filling`: whether Redo is filled for the first time."""
    if seconds is None:
        return "unknown", "what Redo has isn't known yet", "busy"
    if seconds < 1.0:
        return "0 s", f"Redo has all {'but what is held or refused' if kept_back else 'that was committed'}", "good"
    tone = "bad" if seconds >= 5 * LAG_WORTH_TELLING else "busy" if seconds >= LAG_WORTH_TELLING else "good"
    if filling:
        return duration(seconds), "Redo may lack any order until it is filled", tone
    return duration(seconds), "Redo may lack what was committed since then", tone


def hour(moment: float) -> str:
    """`14:02`, in UTC."""
    return time.strftime("%H:%M", time.gmtime(moment))


def moment(at: float, now: float) -> str:
    """`14:02`, with the day in front when that isn't the one just past: `30 Nov, 14:02`."""
    return hour(at) if now - at < _A_DAY else time.strftime("%-d %b, %H:%M", time.gmtime(at))


def span(at: float, until: float | None, now: float) -> str:
    """`03:18 UTC`, `03:18 to 03:21 UTC`."""
    begun, end = moment(at, now), moment(at if until is None else until, now)
    return f"{begun} UTC" if end == begun else f"{begun} to {end.rpartition(', ')[2]} UTC"


def clock(moment: float) -> str:
    """`2026-11-23 18:38:12`, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


def seen(at: float | None, now: float) -> str:
    """`just now`, `12 s ago`."""
    if at is None:
        return "at a time that isn't known"
    return "just now" if now - at < _JUST_NOW else f"{duration(now - at)} ago"


def _dated(said: str, since: float | None, now: float) -> str:
    """`Paused since 14:02 UTC: Redo refused the token`."""
    if since is None:
        return said
    what, colon, why = said.partition(":")
    return f"{what} since {moment(since, now)} UTC{colon}{why}"
