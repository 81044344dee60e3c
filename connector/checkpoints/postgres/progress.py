"""The SQL of the small facts: commits that no snapshot has shown, the sweep, notes, the highest revision, counts.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.postgres import letters, suspicions
from connector.checkpoints.postgres.rows import all_rows, execute_rows, one_value
from connector.checkpoints.progress import SWEEPS_KEPT
from connector.pipeline.ports.entries import BLAMED, Commit
from connector.pipeline.ports.holds import HoldState
from connector.pipeline.ports.records import Sweep, SweepKind, Tally

_REACH: Final = "UPDATE census SET highest_revision = %(highest)s WHERE highest_revision < %(highest)s"
_COUNT_WRITE: Final = "UPDATE census SET writes = writes + 1"

_ADD_UNSEEN: Final = """
INSERT INTO unseen (revision, xid, end_lsn) SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (revision) DO UPDATE SET xid = excluded.xid, end_lsn = excluded.end_lsn
"""
_FORGET_UNSEEN: Final = "DELETE FROM unseen WHERE revision = ANY(%s)"

_SAVE_SWEEP: Final = """
INSERT INTO sweep (kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at, missed,
  changed, extra, held)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (one) DO UPDATE SET kind = excluded.kind, cause = excluded.cause, revision = excluded.revision,
  wanted_revision = excluded.wanted_revision, started_at = excluded.started_at, phase = excluded.phase,
  cursor = excluded.cursor, scanned = excluded.scanned, finished_at = excluded.finished_at, missed = excluded.missed,
  changed = excluded.changed, extra = excluded.extra, held = excluded.held
"""
_SWEEP: Final = """
SELECT kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at, missed, changed, extra,
  held FROM sweep
"""
_REPLACE_FINISHED: Final = "DELETE FROM finished_sweep WHERE revision = %s AND started_at = %s"
_FINISHED: Final = """
INSERT INTO finished_sweep (kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at,
  missed, changed, extra, held)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_FORGET_OLDEST: Final = """
DELETE FROM finished_sweep WHERE (revision, started_at) IN (
  SELECT revision, started_at FROM finished_sweep ORDER BY finished_at DESC, revision DESC, started_at DESC OFFSET %s)
"""
_SWEEPS: Final = """
SELECT kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned, finished_at, missed, changed, extra,
  held FROM finished_sweep ORDER BY finished_at DESC, revision DESC, started_at DESC LIMIT %s
"""

_NOTE: Final = """
INSERT INTO note (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

# Of holds only those that aren't over count: there are a handful.
_TALLY: Final = f"""
SELECT affected, (SELECT count(*) FROM lookup), checkpoints, missing,
  (SELECT since FROM ledger WHERE attempts < {BLAMED} ORDER BY since LIMIT 1), (SELECT min(since) FROM lookup),
  (SELECT min((SELECT min(since) FROM held WHERE held.hold = hold.number)) FROM hold
    WHERE NOT ended AND state = 'gathering')
FROM census
"""  # noqa: S608 (a number of ours)
_HOLD_COUNTS: Final = """
SELECT state, sum(orders)::bigint, count(*) FROM hold WHERE NOT ended AND orders > 0 GROUP BY state
"""


def reach(connection: Connection[Any], revisions: Iterable[int]) -> None:
    """Remember the highest revision ever used, so that none is used twice even when nothing else remembers it."""
    highest = max(revisions, default=0)
    if highest:
        connection.execute(_REACH, {"highest": highest})


def highest_revision(connection: Connection[Any]) -> int:
    """The highest revision ever used, 0 in a new schema."""
    return int(one_value(connection, "SELECT highest_revision FROM census"))


def count_write(connection: Connection[Any]) -> None:
    """One more that its writer relies on."""
    connection.execute(_COUNT_WRITE)


def writer(connection: Connection[Any]) -> tuple[str, int]:
    """Who wrote last, and how many such writes there were."""
    row: tuple[str, int] = all_rows(connection, "SELECT writer, writes FROM census")[0]
    return row


def begin_writing(connection: Connection[Any], writer: str) -> None:
    """From now on this one writes."""
    connection.execute("UPDATE census SET writer = %s", (writer,))


def add_unseen(connection: Connection[Any], commits: Sequence[Commit]) -> None:
    """Remember commits until `forget_unseen`."""
    latest = {commit.revision: commit for commit in commits}
    execute_rows(connection, _ADD_UNSEEN, ((one.revision, one.xid, one.end_lsn) for one in latest.values()))


def unseen(connection: Connection[Any]) -> list[Commit]:
    """Commits by revision."""
    return [Commit(*row) for row in all_rows(connection, "SELECT revision, xid, end_lsn FROM unseen ORDER BY revision")]


def forget_unseen(connection: Connection[Any], revisions: Sequence[int]) -> None:
    """These were shown by a snapshot."""
    connection.execute(_FORGET_UNSEEN, ([*revisions],))


def save_sweep(connection: Connection[Any], sweep: Sweep) -> None:
    """Replace the sweep's state, and remember a finished one."""
    asked = (sweep.kind.value, sweep.cause, sweep.revision, sweep.wanted_revision)
    done = (sweep.started_at, sweep.phase, sweep.cursor, sweep.scanned, sweep.finished_at)
    row = (*asked, *done, sweep.missed, sweep.changed, sweep.extra, sweep.held)
    connection.execute(_SAVE_SWEEP, row)
    if sweep.finished_at is not None:
        connection.execute(_REPLACE_FINISHED, (sweep.revision, sweep.started_at))
        connection.execute(_FINISHED, row)
        connection.execute(_FORGET_OLDEST, (SWEEPS_KEPT,))
    reach(connection, (sweep.revision, sweep.wanted_revision))


def sweep(connection: Connection[Any]) -> Sweep | None:
    """The sweep's state as last saved."""
    row = connection.execute(_SWEEP).fetchone()
    return None if row is None else Sweep(SweepKind(row[0]), *row[1:])


def sweeps(connection: Connection[Any], limit: int) -> list[Sweep]:
    """Finished sweeps, the latest first."""
    return [Sweep(SweepKind(row[0]), *row[1:]) for row in all_rows(connection, _SWEEPS, (limit,))]


def note(connection: Connection[Any], name: str, value: str) -> None:
    """Store one small fact."""
    connection.execute(_NOTE, (name, value))


def noted(connection: Connection[Any], name: str) -> str | None:
    """One small fact, None when it was never stored."""
    value = one_value(connection, "SELECT value FROM note WHERE name = %s", (name,))
    return None if value is None else str(value)


def tally(connection: Connection[Any]) -> Tally:
    """Counts, in time that does not grow with the checkpoints, nor with what waits or is held."""
    row: tuple[Any, ...] = all_rows(connection, _TALLY)[0]
    affected, lookups, checkpoints, missing, *since = row
    holds = {state: (orders, count) for state, orders, count in all_rows(connection, _HOLD_COUNTS)}
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
