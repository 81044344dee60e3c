"""An order that is known by its row's digest is decided on as the long way decides, and without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.contract.order_builder import RedoContract
from connector.model.orders import Outcome, OutcomeKind, Place
from connector.model.rows import Row
from connector.pipeline.deliver.conclude import conclude
from connector.pipeline.deliveries import MAPPING, REMOVAL, Delivery, Remembered, Result, Settled, Terms
from connector.pipeline.examine.decide import decide
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.holds import Held
from connector.pipeline.ports.records import UNKNOWN, Checkpoint, DeadLetter
from tests.support.sample_orders import document, row

CONTRACT = RedoContract("UTC", ("updatedAt",))
NOW = 1_700_000_100.0
ROW = row(document())
BROKEN = Row(ROW.key, "no JSON: an order that is known isn't parsed")
ENTRY = Entry(ROW.key, 5, 5, NOW - 1, Lane.LIVE, 0, False)
ORDER = CONTRACT.order(ROW.document(), ENTRY.since)
DIGEST = b"d" * 16
MEMBERS = {"@oms.payment:1": frozenset({"7"})}
CHECKPOINT = Checkpoint(
    ROW.key, ORDER.order_id, ORDER.fingerprint, NOW - 50, digest=ORDER.digest, traits=ORDER.traits, row_digest=DIGEST
)
LETTER = DeadLetter(ROW.key, "rejected", "no", (), ORDER.fingerprint, NOW - 9, NOW - 9, 1, 400)

entries = st.builds(
    replace,
    st.just(ENTRY),
    lane=st.sampled_from(Lane),
    attempts=st.integers(0, 3),
    confirm=st.booleans(),
    late_until=st.sampled_from([None, NOW - 5, NOW, NOW + 5]),
    approved=st.booleans(),
)
"""All that an entry may say."""
known_by_digest = st.builds(
    replace, st.just(CHECKPOINT), fingerprint=st.sampled_from([ORDER.fingerprint, UNKNOWN]), missing=st.booleans()
)
"""A digest is stored with what was made of the row: then only these may differ."""
others = st.builds(
    replace,
    st.just(CHECKPOINT),
    row_digest=st.sampled_from([UNKNOWN, b"e" * 16]),
    fingerprint=st.sampled_from([ORDER.fingerprint, UNKNOWN, b"another"]),
    order_id=st.sampled_from([ORDER.order_id, "999"]),
    missing=st.booleans(),
)
letters = st.none() | st.builds(
    replace,
    st.just(LETTER),
    reason=st.sampled_from(["rejected", REMOVAL, MAPPING, "duplicate"]),
    fingerprint=st.sampled_from([None, ORDER.fingerprint, b"another"]),
)
places = st.lists(st.sampled_from([ORDER.place, Place("", "1"), Place("s", "2")]), unique=True).map(tuple)
helds = st.sampled_from([None, Held(1, ("tags",), NOW - 20), Held(1, ("tags",), NOW - 20, confirm=True)])
memories = st.builds(Remembered, st.none() | known_by_digest | others, letters, places, helds)


def diff(
    remembered: Remembered,
    row_digest: bytes,
    *,
    entry: Entry = ENTRY,
    sent: Row = ROW,
    terms: Terms | None = None,
    hidden: bool = False,
) -> Settled | Delivery:
    return decide(
        entry,
        [sent],
        remembered,
        CONTRACT,
        terms or Terms(),
        hidden=hidden,
        now=NOW,
        members=MEMBERS,
        row_digest=row_digest,
    )


def without_digests(decision: Settled | Delivery) -> Settled | Delivery:
    """All but what is remembered of the row. What the order is warned of was remembered with its digest."""
    if isinstance(decision, Delivery):
        return replace(decision, row_digest=b"")
    assert decision.settlement.checkpoint is None or decision.settlement.checkpoint.row_digest in (DIGEST, UNKNOWN)
    assert not decision.settlement.warnings
    settlement = replace(decision.settlement, warnings=None)
    if settlement.checkpoint is not None and settlement.checkpoint.row_digest == DIGEST:
        settlement = replace(settlement, checkpoint=None)
    return replace(decision, settlement=settlement)


@given(entries, memories, st.sampled_from([Terms("ignore"), Terms("cancel"), Terms("delete")]), st.booleans())
@example(ENTRY, Remembered(CHECKPOINT), Terms(), False)
def test_the_decision_by_digest_is_the_decision_without(
    entry: Entry, remembered: Remembered, terms: Terms, hidden: bool
) -> None:
    by_digest = diff(remembered, DIGEST, entry=entry, terms=terms, hidden=hidden)
    without = diff(remembered, UNKNOWN, entry=entry, terms=terms, hidden=hidden)
    assert without_digests(by_digest) == without_digests(without)


def test_an_order_that_is_known_by_its_row_is_neither_parsed_nor_written() -> None:
    found = diff(Remembered(CHECKPOINT), DIGEST, sent=BROKEN)
    assert isinstance(found, Settled)
    assert found.result is Result.UNCHANGED
    assert (found.settlement.checkpoint, found.settlement.members) == (None, MEMBERS)


@pytest.mark.parametrize(
    ("checkpoint", "entry"),
    [
        (None, ENTRY),
        (replace(CHECKPOINT, missing=True), ENTRY),
        (replace(CHECKPOINT, fingerprint=UNKNOWN), ENTRY),
        (replace(CHECKPOINT, row_digest=UNKNOWN), ENTRY),
        (replace(CHECKPOINT, row_digest=b"e" * 16), ENTRY),
        (CHECKPOINT, replace(ENTRY, confirm=True)),
        (CHECKPOINT, replace(ENTRY, late_until=NOW - 1)),
    ],
    ids=["no checkpoint", "left the mapping", "doubted", "no digest", "another digest", "to confirm", "may be late"],
)
def test_no_other_order_is_known_by_its_row(checkpoint: Checkpoint | None, entry: Entry) -> None:
    found = diff(Remembered(checkpoint), DIGEST, entry=entry, sent=BROKEN)
    assert isinstance(found, Settled)
    assert found.settlement.dead_letter is not None, "it was parsed"
    assert found.settlement.dead_letter.reason == MAPPING


@pytest.mark.parametrize("empty", [UNKNOWN])
def test_what_has_no_digest_equals_no_checkpoint_without_one(empty: bytes) -> None:
    found = diff(Remembered(replace(CHECKPOINT, row_digest=empty)), empty, sent=BROKEN)
    assert isinstance(found, Settled)
    assert found.settlement.dead_letter is not None


def test_an_equal_order_with_another_row_is_known_by_that_row_from_then_on() -> None:
    found = diff(Remembered(replace(CHECKPOINT, row_digest=b"e" * 16)), DIGEST)
    assert isinstance(found, Settled)
    assert (found.result, found.settlement.checkpoint) == (Result.UNCHANGED, CHECKPOINT)


def test_while_a_commit_is_hidden_the_row_is_not_remembered() -> None:
    found = diff(Remembered(replace(CHECKPOINT, row_digest=UNKNOWN)), DIGEST, hidden=True)
    assert isinstance(found, Settled)
    assert found.settlement.checkpoint is None


@pytest.mark.parametrize("hidden", [False, True])
def test_an_accepted_order_is_known_by_the_row_that_it_was_made_of_unless_the_snapshot_hid_something(
    hidden: bool,
) -> None:
    delivery = diff(Remembered(), DIGEST, hidden=hidden)
    assert isinstance(delivery, Delivery)
    settled = conclude(delivery, Outcome(OutcomeKind.ACCEPTED, 200), NOW - 0.1, NOW, Terms())
    assert settled.settlement.checkpoint is not None
    assert settled.settlement.checkpoint.row_digest == (UNKNOWN if hidden else DIGEST)


def test_a_refused_order_of_which_redo_may_hold_something_else_is_known_by_no_row() -> None:
    late = replace(ENTRY, late_until=NOW + 5)
    delivery = diff(Remembered(replace(CHECKPOINT, fingerprint=b"another")), b"e" * 16, entry=late)
    assert isinstance(delivery, Delivery)
    settled = conclude(delivery, Outcome(OutcomeKind.REJECTED, 422), NOW - 0.1, NOW, Terms())
    assert settled.settlement.checkpoint is not None
    doubted = settled.settlement.checkpoint
    assert (doubted.fingerprint, doubted.row_digest) == (UNKNOWN, UNKNOWN)
