"""The facts as `/api/status` answers them: names that stay, plain JSON types, LSNs as Postgres prints them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final

from connector.model.changes import format_lsn
from connector.status.attention import attention, sweep_seconds_left
from connector.status.facts import Facts, State
from connector.status.headline import headline, tone
from connector.status.verdict import ready, verdict

_OF_A_STANDBY: Final = (
    *("ready", "verdict", "headline", "tone", "attention", "now", "state", "started_at", "version", "reason"),
    *("next_step", "leader", "fit_to_lead", "oms_away", "mapping_differs", "mapping_refused", "history", "events"),
)
"""The leader knows the rest."""


def as_json(facts: Facts) -> dict[str, Any]:
    """What the page shows, and all that it is made of. No order key but those of the latest deliveries."""
    whole = _whole(facts)
    if facts.state is State.STANDBY:
        return {name: {**whole, "fit_to_lead": facts.fit_to_lead}[name] for name in _OF_A_STANDBY}
    return whole


def _whole(facts: Facts) -> dict[str, Any]:
    is_ready, _ = ready(facts)
    # `position` has times of a monotonic clock, which mean nothing outside the process.
    whole = asdict(replace(facts, position=None, minutes=()))
    plain = {name: value for name, value in whole.items() if name not in ("position", "tally", "minutes")}
    for name in ("sweep", "last_reconcile", "last_clean_reconcile"):
        if plain[name] is not None:
            del plain[name]["cursor"]  # an order key
    position = facts.position
    return {
        "ready": is_ready,
        "verdict": verdict(facts),
        "headline": headline(facts),
        "tone": tone(facts),
        "attention": [asdict(card) for card in attention(facts)],
        "sync_lag_seconds": facts.sync_lag_seconds,
        **plain,
        "history": [asdict(minute) for minute in facts.minutes],
        "sweep_seconds_left": sweep_seconds_left(facts),
        "connected": facts.connected,
        "received_lsn": position and format_lsn(position.received_lsn),
        "flush_lsn": position and format_lsn(position.flush_lsn),
        "server_lsn": position and format_lsn(position.server_lsn),
        "replication_lag_bytes": facts.replication_lag_bytes,
        "oldest_affected_age_seconds": facts.oldest_age if facts.counted else None,
        "affected": facts.tally.affected,
        "lookups": facts.tally.lookups,
        "checkpoints": facts.tally.checkpoints,
        "missing": facts.tally.missing,
        "dead_letters": dict(facts.tally.dead_letters),
        "failing_orders": facts.failing_orders,
        "warnings": dict(facts.tally.warnings),
    }
