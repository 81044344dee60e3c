"""The SQL of the small facts: commits that no snapshot has shown, the sweep, notes, the highest revision, counts.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw

from connector.checkpoints.accepted import count_letters
from connector.pipeline.ports import Commit, Sweep, SweepKind, Tally

_REACH: Final = "UPDATE census SET highest_revision = ?1 WHERE highest_revision < ?1"

_SAVE_SWEEP: Final = """
INSERT OR REPLACE INTO sweep
  (only, kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SWEEP: Final = """
SELECT kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at FROM sweep
"""

_TALLY: Final = """
SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM lookup),
  (SELECT min(since) FROM ledger), (SELECT min(since) FROM lookup), checkpoints, missing
FROM census
"""


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
    """Replace the sweep's state."""
    asked = (sweep.kind.value, sweep.cause, sweep.revision, sweep.wanted_revision)
    done = (sweep.started_at, sweep.phase, sweep.cursor, sweep.scanned, sweep.finished_at)
    connection.execute(_SAVE_SWEEP, (*asked, *done))
    reach(connection, (sweep.revision, sweep.wanted_revision))


def sweep(connection: apsw.Connection) -> Sweep | None:
    """The sweep's state as last saved."""
    row = connection.execute(_SWEEP).fetchone()
    return None if row is None else Sweep(SweepKind(row[0]), *row[1:])


def note(connection: apsw.Connection, name: str, value: str) -> None:
    """Store one small fact."""
    connection.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))


def noted(connection: apsw.Connection, name: str) -> str | None:
    """One small fact, None when it was never stored."""
    row = connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def tally(connection: apsw.Connection) -> Tally:
    """Counts, in time that does not grow with the checkpoints."""
    row: tuple[Any, ...] = connection.execute(_TALLY).fetchall()[0]
    affected, lookups, *since, checkpoints, missing = row
    oldest = min((moment for moment in since if moment is not None), default=None)
    return Tally(affected, lookups, oldest, checkpoints, missing, count_letters(connection))
