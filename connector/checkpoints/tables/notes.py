"""What is counted and noted: commits that no snapshot has shown, sweeps, warnings, the highest revision, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from connector.checkpoints.engine import Session
from connector.model.orders import EVENTS, OrderKey
from connector.pipeline.ports.entries import BLAMED, Commit
from connector.pipeline.ports.holds import HoldState
from connector.pipeline.ports.records import Settlement, Sweep, SweepKind, Tally, Warned

SWEEPS_KEPT: Final = 500
"""The latest so many finished sweeps are remembered."""

WARNINGS_KEPT: Final = 10_000
"""The latest so many of each kind are remembered."""
WARNINGS_STEP: Final = 1_000
"""After so many new ones the oldest are forgotten: finding them takes milliseconds."""

_SWEEP_NOTE: Final = "sweep"


def reach(session: Session, revisions: Iterable[int]) -> None:
    """Remember the highest revision ever used, so that none is used twice even when nothing else remembers it."""
    highest = max(revisions, default=0)
    if highest:
        session.run("revision_reach", revision=highest)


def add_unseen(session: Session, commits: Sequence[Commit]) -> None:
    """Remember commits until a snapshot has shown them."""
    latest = {commit.revision: commit for commit in commits}
    session.run_rows("unseen_put", [(one.revision, one.xid, one.end_lsn) for one in latest.values()])


def note(session: Session, name: str, value: str) -> None:
    """In the place of what was noted by that name."""
    session.run_rows("note_put", [(name, value)])


def save_sweep(session: Session, sweep: Sweep) -> None:
    """Replace the sweep's state, and remember a finished one."""
    state = orjson.dumps(sweep).decode()
    note(session, _SWEEP_NOTE, state)
    if sweep.finished_at is not None:
        session.run_rows("finished_sweep_put", [(sweep.revision, sweep.started_at, sweep.finished_at, state)])
        session.run("sweep_forget_oldest", kept=SWEEPS_KEPT)
    reach(session, (sweep.revision, sweep.wanted_revision))


def sweep(session: Session) -> Sweep | None:
    """The sweep's state as last saved."""
    state = session.value("noted", name=_SWEEP_NOTE)
    return None if state is None else _sweep(state)


def sweeps(session: Session, limit: int) -> list[Sweep]:
    """Finished sweeps, the latest first."""
    return [_sweep(state) for state in session.column("sweeps", limit=limit)]


def _sweep(state: str) -> Sweep:
    values: dict[str, Any] = orjson.loads(state)
    return Sweep(**{**values, "kind": SweepKind(values["kind"])})


def tally(session: Session) -> Tally:
    """Counts, in time that does not grow with the checkpoints, nor with what is held."""
    affected, lookups, checkpoints, missing, *since = session.row("tally", blamed=BLAMED)
    holds = {state: (orders, count) for state, orders, count in session.rows("hold_counts")}
    gathered, _ = holds.get(HoldState.GATHERING.value, (0, 0))
    held, waiting = holds.get(HoldState.HELD.value, (0, 0))
    return Tally(
        affected=affected + gathered,
        lookups=lookups,
        oldest_since=min((moment for moment in since if moment is not None), default=None),
        checkpoints=checkpoints,
        missing=missing,
        dead_letters=dict(session.rows("letter_counts")),
        held=held,
        holds=waiting,
        warnings=dict(session.rows("warning_counts")),
    )


def warn(session: Session, settlements: Sequence[Settlement], now: float) -> int:
    """Remember what accepted orders are warned of, and forget what they no longer are, or that they are gone. Returns
    how many warnings came."""
    found: dict[tuple[OrderKey, str], tuple[str, int]] = {}
    for one in settlements:
        for suspicion in one.warnings or ():
            name = (one.entry.key, suspicion.kind)
            found[name] = (suspicion.message, found.get(name, ("", 0))[1] + 1)
    if found:
        session.run_rows("warning_add", [(*name, text, now, now, times) for name, (text, times) in found.items()])
    if keys := [one.entry.key for one in settlements if one.warnings is not None or one.forget]:
        session.run("warning_outdated", keys=keys, now=now, events=[*EVENTS])
    return len(found)


def forget_oldest_warnings(session: Session) -> None:
    """But for the latest WARNINGS_KEPT of each kind, so that one that half of all orders have drives out no other."""
    for kind, orders in session.rows("warning_counts"):
        if orders > WARNINGS_KEPT:
            session.run("warning_forget_oldest", kind=kind, kept=WARNINGS_KEPT)


def warned(session: Session, limit: int) -> list[Warned]:
    """The latest first."""
    return [Warned(*row) for row in session.rows("warning_latest", limit=limit)]
