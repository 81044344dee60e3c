"""The flush LSN's arithmetic, against a model that remembers everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.model.changes import Lsn
from connector.source.stream.lsn_tracker import LsnTracker

steps = st.lists(st.tuples(st.sampled_from(["emit", "pass", "acknowledge", "late"]), st.integers(1, 10)), max_size=40)


@given(steps)
def test_flush_never_passes_an_unacknowledged_transaction_and_never_moves_back(
    script: list[tuple[str, int]],
) -> None:
    lsns = LsnTracker(Lsn(100))
    end = 100
    emitted: list[int] = []
    acknowledged = 0
    for step, amount in script:
        before = lsns.flush
        if step == "emit":
            end += amount
            emitted.append(end)
            lsns.emitted(Lsn(end))
        elif step == "pass":
            end += amount
            lsns.passed(Lsn(end))
        elif step == "acknowledge" and emitted:
            acknowledged = max(acknowledged, emitted[min(amount, len(emitted)) - 1])
            lsns.acknowledge(Lsn(acknowledged))
        elif step == "late" and not [lsn for lsn in emitted if lsn > acknowledged]:
            lsns.acknowledge(Lsn(end + amount))
        waiting = [lsn for lsn in emitted if lsn > acknowledged]
        assert before <= lsns.flush <= end
        assert lsns.flush < min(waiting, default=end + 1)
        if not waiting:
            assert lsns.flush == end, "what is idle holds no WAL"


def test_acknowledging_the_last_transaction_frees_what_passed_after_it() -> None:
    lsns = LsnTracker(Lsn(10))
    lsns.emitted(Lsn(20))
    lsns.passed(Lsn(50))
    assert lsns.flush == 10
    assert lsns.acknowledge(Lsn(20))
    assert lsns.flush == 50
    assert not lsns.acknowledge(Lsn(20))


def test_an_acknowledgement_meant_for_an_earlier_connection_moves_nothing_that_this_one_has_not_seen() -> None:
    lsns = LsnTracker(Lsn(10))
    lsns.acknowledge(Lsn(900))
    assert lsns.flush == 10


def test_positions_only_grow() -> None:
    lsns = LsnTracker(Lsn(10))
    lsns.heard(30, 40)
    lsns.heard(20, 25)
    assert (lsns.received, lsns.server) == (30, 40)
