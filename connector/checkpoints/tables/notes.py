"""What is counted and noted: commits that no snapshot has shown, the sweep, notes, the highest revision, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Final

from connector.checkpoints.engine import Session
from connector.pipeline.ports.entries import BLAMED, Commit
from connector.pipeline.ports.holds import HoldState
from connector.pipeline.ports.records import Sweep, SweepKind, Tally

SWEEPS_KEPT: Final = 500
"""The latest so many finished sweeps are remembered."""


def reach(session: Session, revisions: Iterable[int]) -> None:
    """Remember the highest revision ever used, so that none is used twice even when nothing else remembers it."""
    highest = max(revisions, default=0)
    if highest:
        session.run("revision_reach", revision=highest)


def add_unseen(session: Session, commits: Sequence[Commit]) -> None:
    """Remember commits until a snapshot has shown them."""
    latest = {commit.revision: commit for commit in commits}
    session.run_rows("commit_add", [(one.revision, one.xid, one.end_lsn) for one in latest.values()])


def save_sweep(session: Session, sweep: Sweep) -> None:
    """Replace the sweep's state, and remember a finished one."""
    state = {field.name: getattr(sweep, field.name) for field in fields(sweep)}
    session.run("sweep_save", **{**state, "kind": sweep.kind.value})
    if sweep.finished_at is not None:
        session.run("sweep_finish")
        session.run("sweep_forget_oldest", kept=SWEEPS_KEPT)
    reach(session, (sweep.revision, sweep.wanted_revision))


def sweep(session: Session) -> Sweep | None:
    """The sweep's state as last saved."""
    row = session.row("sweep")
    return None if row is None else Sweep(SweepKind(row[0]), *row[1:])


def sweeps(session: Session, limit: int) -> list[Sweep]:
    """Finished sweeps, the latest first."""
    return [Sweep(SweepKind(row[0]), *row[1:]) for row in session.rows("sweeps", limit=limit)]


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
