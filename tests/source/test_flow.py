"""The flush LSN's arithmetic, against a model that remembers everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.model.changes import Lsn
from connector.source.stream.flow import Flow

steps = st.lists(st.tuples(st.sampled_from(["emit", "pass", "acknowledge", "late"]), st.integers(1, 10)), max_size=40)


@given(steps)
def test_flush_never_passes_an_unacknowledged_transaction_and_never_moves_back(
    script: list[tuple[str, int]],
) -> None:
    flow = Flow(Lsn(100))
    end = 100
    emitted: list[int] = []
    acknowledged = 0
    for step, amount in script:
        before = flow.flush
        if step == "emit":
            end += amount
            emitted.append(end)
            flow.emitted(Lsn(end))
        elif step == "pass":
            end += amount
            flow.passed(Lsn(end))
        elif step == "acknowledge" and emitted:
            acknowledged = max(acknowledged, emitted[min(amount, len(emitted)) - 1])
            flow.acknowledge(Lsn(acknowledged))
        elif step == "late" and not [lsn for lsn in emitted if lsn > acknowledged]:
            flow.acknowledge(Lsn(end + amount))
        waiting = [lsn for lsn in emitted if lsn > acknowledged]
        assert before <= flow.flush <= end
        assert flow.flush < min(waiting, default=end + 1)
        assert flow.idle == (not waiting)
        if not waiting:
            assert flow.flush == end, "what is idle holds no WAL"


def test_acknowledging_the_last_transaction_frees_what_passed_after_it() -> None:
    flow = Flow(Lsn(10))
    flow.emitted(Lsn(20))
    flow.passed(Lsn(50))
    assert flow.flush == 10
    assert flow.acknowledge(Lsn(20))
    assert flow.flush == 50
    assert not flow.acknowledge(Lsn(20))


def test_an_acknowledgement_meant_for_an_earlier_connection_moves_nothing_that_this_one_has_not_seen() -> None:
    flow = Flow(Lsn(10))
    flow.acknowledge(Lsn(900))
    assert flow.flush == 10


def test_positions_only_grow() -> None:
    flow = Flow(Lsn(10))
    flow.heard(30, 40)
    flow.heard(20, 25)
    assert (flow.received, flow.server) == (30, 40)
