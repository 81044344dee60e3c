"""The stations between OMS and Redo with their numbers, and the facts beside them. Pure: facts in, text out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from connector.model.changes import format_lsn
from connector.status.facts import Facts, Stage, State, duration, size
from connector.status.headline import clock


@dataclass(frozen=True, slots=True)
class Station:
    """`via`: what happens on the way here. `number` counts `unit`; `note` says more. `reach`: `stopped` where nothing
    gets on, `beyond` after that."""

    name: str
    number: str
    unit: str
    note: str = ""
    via: str = ""
    reach: str = ""


def stations(facts: Facts) -> list[Station]:
    """From the source to the checkpoints, one for each Stage; none while there is no road: at a start, at a standby."""
    if facts.position is None:
        return []
    lag, tally = facts.replication_lag_bytes, facts.tally
    accepted = tally.checkpoints - tally.missing
    waiting, known = (f"{tally.affected:,}", f"{accepted:,}") if facts.counted else ("unknown", "unknown")
    lookups = f"{tally.lookups:,} lookup{_s(tally.lookups)} to resolve" if facts.counted and tally.lookups else ""
    pace = "" if facts.pace is None else f"Redo bears {facts.pace:,.1f} a second"
    gone = f"{tally.missing:,} left the mapping" if facts.counted and tally.missing else ""
    limit = f"request{_s(facts.in_flight)}, {facts.concurrency_limit:,} at most"
    road = [
        Station("OMS", "unknown" if lag is None else size(lag), "WAL not yet read", _lag(facts)),
        Station("Ledger", waiting, f"order{_s(tally.affected)} waiting", lookups, "routes"),
        Station("In flight", f"{facts.in_flight:,}", limit, pace, "assemble, diff"),
        Station("Redo", _rate(facts), "accepted per minute", _last_accepted(facts), "push"),
        Station("Checkpoints", known, f"order{_s(accepted)} accepted", gone, "remember"),
    ]
    if facts.stopped_at is None:
        return road
    stop = list(Stage).index(facts.stopped_at)
    return [replace(one, reach=("beyond", "stopped")[at == stop] if at >= stop else "") for at, one in enumerate(road)]


def _rate(facts: Facts) -> str:
    return "unknown" if facts.accepted_per_minute is None else f"{facts.accepted_per_minute:,}"


def _last_accepted(facts: Facts) -> str:
    if facts.last_accepted_at is None:
        return "none since the start"
    return f"last one {duration(facts.now - facts.last_accepted_at)} ago"


def details(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Name, value, and what to add, of what else a person should see."""
    if facts.leader is not None:
        yield "Leader", facts.leader.instance, f"since {clock(facts.leader.since)} UTC, term {facts.leader.term:,}"
    if facts.position is None:
        return
    yield "Oldest waiting change", _oldest(facts), ""
    yield "WAL that the slot keeps", *_wal(facts)
    yield "Slot may let go of", format_lsn(facts.position.flush_lsn), "everything before it is safe here"
    yield "Last clean reconcile", *_clean(facts)
    yield "Last comparison of all", *_compared(facts)
    for one in facts.endpoints:
        if one.active:
            yield "Checkpoints count for", one.url, f"store {one.store_id}{'' if one.approved else ', to be approved'}"
    yield "Mapping version", (facts.mapping_fingerprint or "unknown")[:12], ""
    counts = facts.counts
    yield "Since the start", f"{counts.pushed:,} pushed", f"{counts.unchanged:,} found unchanged"


def _oldest(facts: Facts) -> str:
    if not facts.counted:
        return "unknown"
    if facts.tally.oldest_since is not None:
        return duration(facts.oldest_age)
    return "none" if facts.connected else "none known"


def _lag(facts: Facts) -> str:
    if not facts.connected:
        return "not connected yet" if facts.state is State.STARTING else "disconnected"
    seconds = facts.replication_lag_seconds
    return "" if seconds is None else f"{duration(seconds)} behind"


def _wal(facts: Facts) -> tuple[str, str]:
    if facts.slot_retained_bytes is None:
        return "unknown", ""
    kept, left, seconds = size(facts.slot_retained_bytes), facts.slot_limit_left_bytes, facts.slot_seconds_to_limit
    if facts.slot_limit is None or left is None:
        return kept, "no limit is set"
    if left <= 0:
        return kept, f"beyond {facts.slot_limit}"
    time = ", which isn't coming nearer" if seconds is None else f", reached in {duration(seconds)}"
    return kept, f"{size(left)} left until {facts.slot_limit}{time}"


def _clean(facts: Facts) -> tuple[str, str]:
    clean = facts.last_clean_reconcile
    if clean is None or clean.finished_at is None:
        return "none yet", "one in which nothing differed"
    return f"{clock(clean.finished_at)} UTC", f"{clean.scanned:,} orders compared"


def _compared(facts: Facts) -> tuple[str, str]:
    last = facts.last_reconcile
    if last is None or last.finished_at is None:
        return "none yet", ""
    drift = last.missed + last.changed + last.extra
    found = "nothing differed" if not drift else f"{drift:,} differed and were pushed or held"
    return f"{clock(last.finished_at)} UTC", f"{last.scanned:,} orders compared, {found}"


def _s(number: int) -> str:
    return "" if number == 1 else "s"
