"""The table of what to do: complete, without contradictions, and kept by admission."""

from __future__ import annotations

import pytest

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.policy import FAILURES_TO_CLOSE, POLICY, Confirm, Everyone, Fate
from connector.pipeline.ports.entries import Lane

KINDS = list(OutcomeKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_outcome_has_a_row_that_does_not_contradict_itself(kind: OutcomeKind) -> None:
    row = POLICY[kind]
    assert (row.order_backoff is not None) == (row.fate is Fate.AGAIN)
    assert (row.pause_backoff is not None) == (row.everyone is not Everyone.GO_ON)
    assert (row.failures_to_pause > 0) == (row.everyone is Everyone.PAUSE_IF_MANY)
    assert bool(row.advice) == (kind is not OutcomeKind.ACCEPTED)
    if row.confirm is not Confirm.NO:
        assert row.fate is Fate.AGAIN


@pytest.mark.parametrize(
    ("kind", "fate", "everyone", "confirm"),
    [
        (OutcomeKind.ACCEPTED, Fate.SETTLED, Everyone.GO_ON, Confirm.NO),
        (OutcomeKind.REJECTED, Fate.DEAD_LETTER, Everyone.GO_ON, Confirm.NO),
        (OutcomeKind.REFUSED, Fate.AGAIN, Everyone.PAUSE_IF_MANY, Confirm.NO),
        (OutcomeKind.THROTTLED, Fate.PUT_BACK, Everyone.PAUSE, Confirm.NO),
        (OutcomeKind.UNAVAILABLE, Fate.AGAIN, Everyone.PAUSE_IF_MANY, Confirm.IF_ANSWERED),
        (OutcomeKind.UNKNOWN, Fate.AGAIN, Everyone.PAUSE_IF_MANY, Confirm.YES),
    ],
)
def test_what_follows_from_each_outcome(kind: OutcomeKind, fate: Fate, everyone: Everyone, confirm: Confirm) -> None:
    row = POLICY[kind]
    assert (row.fate, row.everyone, row.confirm) == (fate, everyone, confirm)


def test_only_a_request_that_may_have_reached_redo_is_confirmed() -> None:
    unavailable, unknown = POLICY[OutcomeKind.UNAVAILABLE], POLICY[OutcomeKind.UNKNOWN]
    assert unavailable.must_confirm(Outcome(OutcomeKind.UNAVAILABLE, 503))
    assert not unavailable.must_confirm(Outcome(OutcomeKind.UNAVAILABLE, reason="connect_failed"))
    assert unknown.must_confirm(Outcome(OutcomeKind.UNKNOWN, reason="timeout"))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_gate_does_to_everyone_what_the_table_says(kind: OutcomeKind) -> None:
    admission, row = Admission(4), POLICY[kind]
    assert await admission.acquire("accepted", Lane.LIVE)
    admission.release("accepted", Outcome(OutcomeKind.ACCEPTED, 200))
    closed_after = None
    for number in range(FAILURES_TO_CLOSE + 1):
        if not await admission.acquire(str(number), Lane.LIVE):
            break
        admission.release(str(number), Outcome(kind, 500))
        if admission.pause is not None and closed_after is None:
            closed_after = number + 1
    expected = {Everyone.GO_ON: None, Everyone.PAUSE: 1, Everyone.PAUSE_IF_MANY: row.failures_to_pause}
    assert closed_after == expected[row.everyone]
    if admission.pause is not None:
        assert admission.pause.advice == POLICY[kind].advice


@pytest.mark.parametrize("kind", [kind for kind in KINDS if POLICY[kind].pause_backoff is not None])
def test_a_pause_never_exceeds_its_cap_and_never_spins(kind: OutcomeKind) -> None:
    backoff = POLICY[kind].pause_backoff
    assert backoff is not None
    delays = [backoff.delay(attempt) for attempt in range(200)]
    assert max(delays) <= backoff.cap <= 60
    assert min(delays) >= backoff.floor


def test_a_refused_secret_is_tried_again_after_five_seconds_and_then_at_least_once_a_minute() -> None:
    backoff = POLICY[OutcomeKind.REFUSED].pause_backoff
    assert backoff is not None
    assert backoff.delay(0) == 5.0
    assert 48.0 <= backoff.delay(10) <= 60.0
