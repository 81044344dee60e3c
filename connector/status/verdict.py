"""Whether the connector is ready, and a few sentences that say how things are. Pure: facts in, words out."""

from __future__ import annotations

from typing import Final

from connector.status.facts import LAG_WORTH_TELLING, SLOW, Facts, State, duration

READY_STATES: Final = frozenset({State.BACKFILLING, State.STREAMING, State.CATCHING_UP, State.HELD})
"""What a hold keeps waits for a person; everything else flows on, unless an address is to be approved."""


def ready(facts: Facts) -> tuple[bool, str]:
    """Whether replication and delivery both make progress or are idle, and why not."""
    if facts.state not in READY_STATES or (facts.state is State.HELD and facts.unapproved):
        return False, explained(facts)
    if not facts.connected:
        return False, "There is no stream from the source database."
    if facts.paused_reason is not None:
        return False, f"Delivery to Redo is paused ({facts.paused_reason})."
    return True, explained(facts)


def fit(facts: Facts) -> tuple[bool, str]:
    """The same for a connector in any role: whether it leads and is ready, or is ready to take over."""
    return (facts.fit_to_lead, explained(facts)) if facts.state is State.STANDBY else ready(facts)


def verdict(facts: Facts) -> str:
    """A few sentences that tell a person how things are, and what to do."""
    return f"{explained(facts)} Next: {facts.next_step.rstrip('.')}." if facts.next_step else explained(facts)


def explained(facts: Facts) -> str:
    """How things are, in a few sentences."""
    sentence = _SENTENCES[facts.state]
    if facts.state is State.HELD and facts.unapproved:
        sentence = "Nothing is pushed before somebody approves where to, nothing is lost"
    elif facts.state is State.HELD and facts.first_fill_held:
        sentence = "The first fill is held, because nearly all of it is refused; live changes flow"
    failing, waiting, refused = facts.failing_orders, facts.waiting, sum(facts.refused.values())
    slow = facts.tally.dead_letters.get(SLOW, 0)
    parts = [f"{sentence}: {facts.reason.rstrip('.')}." if facts.reason else f"{sentence}."]
    if facts.sync_lag_seconds is not None and facts.sync_lag_seconds >= LAG_WORTH_TELLING:
        parts.append(f"Redo may lack what was committed in the last {duration(facts.sync_lag_seconds)}.")
    if facts.oms_away:
        parts.append(f"It couldn't deliver if it led: {facts.oms_away.rstrip('.')}.")
    if (refused_mapping := facts.mapping_refused) is not None and refused_mapping.problem not in facts.reason:
        where, problem = refused_mapping.where, refused_mapping.problem.rstrip(".")
        so = "the one before stays at work" if facts.state is not State.STANDBY else "it couldn't deliver if it led"
        parts.append(f"The mapping as it is now is refused, {so}: {where}: {problem}.")
    if facts.failing_tables:
        tables = ", ".join(facts.failing_tables)
        parts.append(f"The OMS's own UPDATEs and DELETEs of {tables} fail because of a publication.")
    if waiting:
        parts.append(f"{_count(waiting, 'change')} waiting, the oldest for {duration(facts.oldest_age)}.")
    if refused:
        parts.append(f"{_count(refused, 'order')} refused: see the dead letters.")
    if slow:
        parts.append(f"{_count(slow, 'order')} set aside, too slow to be read: see the dead letters.")
    if failing:
        orders, them = ("1 order fails", "it") if failing == 1 else (f"{failing:,} orders fail", "them")
        parts.append(
            f"{orders} at Redo again and again while it takes others: `redo-connector dead-letters list` says why, "
            f"`dead-letters set-aside` gives up on {them}."
        )
    if facts.wal_warning:
        parts.append(f"{facts.wal_warning[0].upper()}{facts.wal_warning[1:]}.")
    return " ".join(parts)


_SENTENCES = {
    State.STARTING: "Starting",
    State.BACKFILLING: "Filling Redo for the first time; live changes go first",
    State.STREAMING: "In step with the source",
    State.CATCHING_UP: "Catching up with the source",
    State.PAUSED: "Delivery to Redo is paused, nothing is lost",
    State.DISCONNECTED: "No connection to the source database, nothing is lost",
    State.STALLED: "Stalled, nothing is lost",
    State.HELD: "Live changes flow, but an unlikely change waits for approval",
    State.STANDBY: "Standing by",
    State.STOPPING: "Stopping",
}


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number:,} {noun}s are"
