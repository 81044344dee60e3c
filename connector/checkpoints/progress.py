"""The SQL of the small facts: commits that no snapshot has shown, the sweep, notes, the highest revision, counts.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw

from connector.checkpoints import letters, suspicions
from connector.pipeline.ports.entries import BLAMED, Commit
from connector.pipeline.ports.holds import HoldState
from connector.pipeline.ports.records import Sweep, SweepKind, Tally

_REACH: Final = "UPDATE census SET highest_revision = ?1 WHERE highest_revision < ?1"

SWEEPS_KEPT: Final = 500
"""The latest so many finished sweeps are remembered."""

_SWEEP_COLUMNS: Final = (
    "kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at, "
    "missed, changed, extra, held"
)
_SAVE_SWEEP: Final = f"""
INSERT OR REPLACE INTO sweep (only, {_SWEEP_COLUMNS}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 (constants)
_SWEEP: Final = f"SELECT {_SWEEP_COLUMNS} FROM sweep"  # noqa: S608 (constants)

_FINISHED: Final = f"""
INSERT OR REPLACE INTO finished_sweep ({_SWEEP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 (constants)
_LATEST_FIRST: Final = "ORDER BY finished_at DESC, revision DESC, started_at DESC"
_FORGET_OLDEST: Final = f"""
DELETE FROM finished_sweep WHERE (revision, started_at) IN
  (SELECT revision, started_at FROM finished_sweep {_LATEST_FIRST} LIMIT -1 OFFSET {SWEEPS_KEPT})
"""  # noqa: S608 (constants)
_SWEEPS: Final = f"SELECT {_SWEEP_COLUMNS} FROM finished_sweep {_LATEST_FIRST} LIMIT ?"  # noqa: S608 (constants)

# Of holds only those that aren't over count: there are a handful.
_TALLY: Final = f"""
SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM lookup), checkpoints, missing,
  (SELECT since FROM ledger WHERE attempts < {BLAMED} ORDER BY since LIMIT 1), (SELECT min(since) FROM lookup),
  (SELECT min((SELECT min(since) FROM held WHERE held.hold = hold.number)) FROM hold
    WHERE over = 0 AND state = 'gathering')
FROM census
"""  # noqa: S608 (a number of ours)
_HOLD_COUNTS: Final = "SELECT state, sum(orders), count(*) FROM hold WHERE over = 0 AND orders > 0 GROUP BY state"


def reach(connection: apsw.Connection, revisions: Iterable[int]) -> None:
    """Remember the highest revision ever used, so that none is used twice even when nothing else remembers it."""
    highest = max(revisions, default=0)
    if highest:
        connection.execute(_REACH, (highest,))


def highest_revision(connection: apsw.Connection) -> int:
    """The highest revision ever used, 0 in a new file."""
    return int(connection.execute("SELECT highest_revision FROM census").get)


def add_unseen(connection: apsw.Connection, commits: Sequence[Commit]) -> None:
    """Remember commits until `forget_unseen`."""
    connection.executemany(
        "INSERT OR REPLACE INTO unseen (revision, xid, end_lsn) VALUES (?, ?, ?)",
        ((commit.revision, commit.xid, commit.end_lsn) for commit in commits),
    )


def unseen(connection: apsw.Connection) -> list[Commit]:
    """Commits by revision."""
    rows = connection.execute("SELECT revision, xid, end_lsn FROM unseen ORDER BY revision")
    return [Commit(revision, xid, end_lsn) for revision, xid, end_lsn in rows]


def forget_unseen(connection: apsw.Connection, revisions: Sequence[int]) -> None:
    """These were shown by a snapshot."""
    connection.executemany("DELETE FROM unseen WHERE revision = ?", ((revision,) for revision in revisions))


def save_sweep(connection: apsw.Connection, sweep: Sweep) -> None:
    """Replace the sweep's state, and remember a finished one."""
    asked = (sweep.kind.value, sweep.cause, sweep.revision, sweep.wanted_revision)
    done = (sweep.started_at, sweep.phase, sweep.cursor, sweep.scanned, sweep.finished_at)
    row = (*asked, *done, sweep.missed, sweep.changed, sweep.extra, sweep.held)
    connection.execute(_SAVE_SWEEP, row)
    if sweep.finished_at is not None:
        connection.execute(_FINISHED, row)
        connection.execute(_FORGET_OLDEST)
    reach(connection, (sweep.revision, sweep.wanted_revision))


def sweep(connection: apsw.Connection) -> Sweep | None:
    """The sweep's state as last saved."""
    row = connection.execute(_SWEEP).fetchone()
    return None if row is None else Sweep(SweepKind(row[0]), *row[1:])


def sweeps(connection: apsw.Connection, limit: int) -> list[Sweep]:
    """Finished sweeps, the latest first."""
    return [Sweep(SweepKind(row[0]), *row[1:]) for row in connection.execute(_SWEEPS, (limit,))]


def note(connection: apsw.Connection, name: str, value: str) -> None:
    """Store one small fact."""
    connection.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))


def noted(connection: apsw.Connection, name: str) -> str | None:
    """One small fact, None when it was never stored."""
    row = connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def tally(connection: apsw.Connection) -> Tally:
    """Counts, in time that does not grow with the checkpoints, nor with what is held."""
    row: tuple[Any, ...] = connection.execute(_TALLY).fetchall()[0]
    affected, lookups, checkpoints, missing, *since = row
    holds = {state: (orders, count) for state, orders, count in connection.execute(_HOLD_COUNTS)}
    gathered, _ = holds.get(HoldState.GATHERING.value, (0, 0))
    held, waiting = holds.get(HoldState.HELD.value, (0, 0))
    return Tally(
        affected=affected + gathered,
        lookups=lookups,
        oldest_since=min((moment for moment in since if moment is not None), default=None),
        checkpoints=checkpoints,
        missing=missing,
        dead_letters=letters.counts(connection),
        held=held,
        holds=waiting,
        warnings=suspicions.counts(connection),
    )
