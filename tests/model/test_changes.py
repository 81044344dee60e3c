"""LSN spelling, and which transactions a snapshot shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.changes import Lsn, Snapshot, format_lsn, parse_lsn


@given(st.integers(0, 2**64 - 1))
def test_an_lsn_is_read_back_as_it_was_printed(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


def test_an_lsn_without_a_slash_is_refused() -> None:
    with pytest.raises(ValueError, match="not an LSN"):
        parse_lsn("16B374D848")


EPOCH = 5 << 32


@pytest.mark.parametrize(
    ("xid", "shown"),
    [(99, True), (100, False), (101, True), (102, False), (103, False), (2**32 - 1, True)],
)
def test_a_snapshot_shows_what_ended_before_it_and_nothing_that_runs(xid: int, shown: bool) -> None:
    snapshot = Snapshot(EPOCH + 100, EPOCH + 103, frozenset({EPOCH + 100, EPOCH + 102}))
    assert snapshot.shows(xid, 0) is shown


def test_a_transaction_of_the_last_epoch_is_older_than_a_snapshot_just_after_the_wraparound() -> None:
    snapshot = Snapshot(EPOCH + 1, EPOCH + 5, frozenset())
    assert snapshot.shows(2**32 - 10, 0)
    assert not snapshot.shows(7, 0)


def test_on_a_standby_a_transaction_is_shown_once_its_commit_record_was_replayed() -> None:
    snapshot = Snapshot(EPOCH + 100, EPOCH + 200, frozenset(), replay_lsn=Lsn(5000))
    assert snapshot.shows(150, 5000)
    assert not snapshot.shows(150, 5001)
