"""The headline: the state in so few words that a screen reader can read it each time it changes."""

from __future__ import annotations

import time
from typing import Final

from connector.status.facts import Facts, State

_PAUSES: Final = {
    "http_401": "Redo refused the token",
    "http_403": "Redo refused the token's scope",
    "http_404": "Redo knows no such store",
    "tls": "the connection to Redo can't be trusted",
    "dns": "Redo's name can't be resolved",
    "http_429": "Redo asks for fewer requests",
    "timeout": "Redo does not answer",
    "by_hand": "somebody paused it",
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


def headline(facts: Facts) -> str:
    """One sentence without its full stop. No number in it changes by the second."""
    if facts.state is State.PAUSED:
        reason = facts.paused_reason or ""
        why = _PAUSES.get(reason, f"Redo is failing ({reason})" if reason else "Redo can't be reached")
        return f"Paused: {why}{'' if facts.paused_since is None else f' since {hour(facts.paused_since)}'}"
    if facts.state is State.HELD and facts.unapproved:
        return "Held: another address or store of Redo is to be approved"
    if facts.state is State.HELD and facts.first_fill_held:
        return "Held: nearly all orders of the first fill are refused"
    return _STATES[facts.state]


def hour(moment: float) -> str:
    """`14:02 UTC`."""
    return time.strftime("%H:%M UTC", time.gmtime(moment))


def clock(moment: float) -> str:
    """`2026-11-23 18:38:12`, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))
