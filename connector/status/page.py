"""The status page: facts to HTML, without scripts. It must not know HTTP beyond its own security policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from connector.status.facts import READY_STATES, Facts, State, duration, ready, size, verdict

_HTML: Final = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
_PAGE: Final = Template(_HTML)
_STYLE: Final = _HTML.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing but the page's own style."""


def render(facts: Facts) -> str:
    """The whole page."""
    return _PAGE.substitute(
        state=facts.state.value.replace("_", " "),
        tone=_tone(facts),
        verdict=escape(verdict(facts)),
        road="".join(
            f"<li>{escape(name)}<b>{number}</b><small>{note}</small></li>" for name, number, note in _road(facts)
        ),
        counts=_rows(asdict(facts.counts)),
        uptime=duration(facts.now - facts.started_at),
        version=escape(facts.version),
    )


def _tone(facts: Facts) -> str:
    if not ready(facts)[0]:
        return "busy" if facts.state in (State.STARTING, State.STOPPING) else "bad"
    return "good" if facts.state in READY_STATES - {State.CATCHING_UP, State.BACKFILLING} else "busy"


def _road(facts: Facts) -> list[tuple[str, str, str]]:
    """The stations between the source and Redo: name, number, what the number means."""
    lag, tally = facts.replication_lag_bytes, facts.tally
    accepted = facts.last_accepted_at
    found = [
        (
            "Source",
            "?" if lag is None else f"{lag:,}",
            "bytes behind" if facts.connected else "bytes behind, disconnected",
        ),
        ("Ledger", f"{tally.affected:,}", f"orders waiting, {tally.lookups:,} lookups"),
        ("In flight", f"{facts.in_flight:,}", f"of {facts.concurrency_limit:,} allowed"),
        (
            "Redo",
            f"{tally.checkpoints - tally.missing:,}",
            "orders accepted" if accepted is None else f"orders accepted, last {duration(facts.now - accepted)} ago",
        ),
        ("Dead letters", f"{sum(tally.dead_letters.values()):,}", "orders refused"),
    ]
    if facts.slot_retained_bytes is not None:
        found.insert(1, ("WAL kept", size(facts.slot_retained_bytes), _limit(facts)))
    if facts.backfill_remaining:
        found.append(("To walk", f"{facts.backfill_remaining:,}", "orders of the backfill"))
    return found


def _limit(facts: Facts) -> str:
    if facts.slot_limit is None or facts.slot_limit_left_bytes is None:
        return "by the slot, no limit set"
    left, seconds = facts.slot_limit_left_bytes, facts.slot_seconds_to_limit
    if left <= 0:
        return f"by the slot, beyond {facts.slot_limit}"
    time = "" if seconds is None else f", reached in {duration(seconds)}"
    return f"by the slot, {size(left)} left until {facts.slot_limit}{time}"


def _rows(counts: Mapping[str, int]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{number:,}</td></tr>" for name, number in counts.items())
