"""The diff of one order, and what each answer of Redo becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.contract.order_builder import RedoContract
from connector.model.errors import OrderUnreadable
from connector.model.orders import OrderKey, Outcome, OutcomeKind, Violation
from connector.pipeline.deliver import conclude as concluding
from connector.pipeline.deliver.conclude import put_back
from connector.pipeline.deliver.failing_orders import Failure
from connector.pipeline.deliveries import Action, Delivery, Remembered, Result, Settled, Terms
from connector.pipeline.examine.decide import decide, unreadable
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import FAILING, SET_ASIDE, Checkpoint, DeadLetter, Settlement
from tests.support.sample_orders import document, row

CONTRACT = RedoContract("UTC", ("updatedAt",))
KEY = OrderKey("1001")
NOW = 1_700_000_100.0
ENTRY = Entry(KEY, 5, 5, NOW - 1, Lane.LIVE, 0, False)
ORDER = CONTRACT.order(document(), ENTRY.since)
CHECKPOINT = Checkpoint(KEY, "1001", ORDER.fingerprint, NOW - 50)
TERMS = Terms()
LETTER = DeadLetter(KEY, "rejected", "no", (), ORDER.fingerprint, NOW - 9, NOW - 9, 1, 400)
NOTHING = Remembered(None, None)
MEMBERS = {"@oms.payment:1": frozenset({"7"})}


def settled(decision: Settled | Delivery) -> Settled:
    assert isinstance(decision, Settled)
    return decision


def diff(
    remembered: Remembered = NOTHING, *, entry: Entry = ENTRY, hidden: bool = False, rows: int = 1, **changes: Any
) -> Settled | Delivery:
    rows_found = [row(document(**changes))] * rows
    return decide(entry, rows_found, remembered, CONTRACT, TERMS, hidden=hidden, now=NOW, members=MEMBERS)


FAILURE = Failure(attempts=1, delay=9.0, lasting=False, unclear=False)


def conclude(delivery: Delivery, outcome: Outcome, now: float) -> Settled:
    return concluding.conclude(delivery, outcome, now - 0.1, now, TERMS, FAILURE)


def test_an_order_without_a_checkpoint_is_delivered() -> None:
    delivery = diff()
    assert isinstance(delivery, Delivery)
    assert delivery.place.order_id == "1001"


def test_an_order_that_equals_its_checkpoint_is_not_sent() -> None:
    found = settled(diff(Remembered(CHECKPOINT, None)))
    assert found.result is Result.UNCHANGED
    assert found.settlement.again is None
    assert found.settlement.checkpoint is None


def test_a_change_of_an_ignored_path_alone_is_not_sent() -> None:
    found = settled(diff(Remembered(CHECKPOINT, None), updated_at="2031-01-01T00:00:00Z"))
    assert found.result is Result.UNCHANGED


def test_an_order_at_redo_is_warned_of_what_it_breaks_and_one_that_redo_refused_is_not() -> None:
    unusual = {"customer": document()["customer"] | {"email": "ada@localhost"}}
    order = CONTRACT.order(document(**unusual), ENTRY.since)
    there = Remembered(replace(CHECKPOINT, fingerprint=order.fingerprint), None)
    told = settled(diff(there, **unusual)).settlement.warnings
    assert told is not None
    assert [one.kind for one in told] == ["email_unusual"]
    assert settled(diff(Remembered(CHECKPOINT, None))).settlement.warnings == ()
    assert settled(diff(there, hidden=True, **unusual)).settlement.warnings is None
    refused = Remembered(None, replace(LETTER, fingerprint=order.fingerprint))
    assert settled(diff(refused, **unusual)).settlement.warnings is None


def test_a_changed_order_is_delivered() -> None:
    assert isinstance(diff(Remembered(CHECKPOINT, None), tags=["gift"]), Delivery)


def test_an_unconfirmed_order_is_delivered_even_when_it_equals_its_checkpoint() -> None:
    assert isinstance(diff(Remembered(CHECKPOINT, None), entry=replace(ENTRY, confirm=True)), Delivery)


def test_an_unchanged_order_whose_transaction_is_hidden_is_looked_at_again_and_not_counted() -> None:
    found = settled(diff(Remembered(CHECKPOINT, None), hidden=True))
    assert found.result is None
    assert found.settlement.again is not None
    assert found.settlement.again.due > NOW


def test_a_changed_order_whose_transaction_is_hidden_is_delivered_and_looked_at_again() -> None:
    delivery = diff(hidden=True)
    assert isinstance(delivery, Delivery)
    found = conclude(delivery, Outcome(OutcomeKind.ACCEPTED, 200), NOW)
    assert found.settlement.checkpoint is not None
    assert found.settlement.again is not None


def test_a_rejected_payload_is_not_sent_a_second_time() -> None:
    found = settled(diff(Remembered(None, LETTER)))
    assert found.result is Result.UNCHANGED
    assert not found.settlement.clear_dead_letter


def test_a_dead_letter_is_delivered_by_itself_when_its_payload_changed() -> None:
    assert isinstance(diff(Remembered(None, LETTER), tags=["mended"]), Delivery)


def test_a_dead_letter_goes_when_the_order_is_again_what_redo_accepted() -> None:
    letter = replace(LETTER, fingerprint=b"another")
    found = settled(diff(Remembered(CHECKPOINT, letter)))
    assert found.settlement.clear_dead_letter


def test_a_contract_violation_is_a_dead_letter_that_names_the_field_and_no_value() -> None:
    customer = {"email": "not-an-address", "first_name": "Ada", "last_name": "Lovelace"}
    found = settled(diff(customer=customer))
    letter = found.settlement.dead_letter
    assert letter is not None
    assert letter.reason == "invalid"
    assert letter.paths == ("customer.email",)
    assert "not-an-address" not in letter.message
    assert found.result is Result.INVALID


def test_two_rows_for_one_order_are_a_dead_letter() -> None:
    letter = settled(diff(rows=2)).settlement.dead_letter
    assert letter is not None
    assert letter.reason == "duplicate"
    assert "2 rows" in letter.message


def test_an_order_that_left_the_mapping_is_marked_and_kept_at_redo() -> None:
    found = settled(diff(Remembered(CHECKPOINT, None), rows=0))
    assert found.result is Result.MISSING
    assert found.settlement.checkpoint == replace(CHECKPOINT, missing=True)


def test_an_order_that_returns_to_the_mapping_is_delivered() -> None:
    assert isinstance(diff(Remembered(replace(CHECKPOINT, missing=True), None)), Delivery)


def test_a_mapping_that_fails_for_an_order_is_a_dead_letter() -> None:
    letter = unreadable(ENTRY, OrderUnreadable("22012 division_by_zero", "22012"), NOW, NOTHING).settlement.dead_letter
    assert letter is not None
    assert letter.reason == "mapping"


ACCEPTED = Outcome(OutcomeKind.ACCEPTED, 200)
DELIVERY = Delivery(ENTRY, Action.PUSH, ORDER.place, ORDER, NOTHING, members=MEMBERS)


def test_acceptance_becomes_a_checkpoint_of_what_was_sent() -> None:
    found = conclude(DELIVERY, Outcome(OutcomeKind.ACCEPTED, 200, redo_id="r1"), NOW)
    assert found.result is Result.PUSHED
    accepted = Checkpoint(KEY, "1001", ORDER.fingerprint, NOW, "r1", digest=ORDER.digest, traits=ORDER.traits)
    assert found.settlement.checkpoint == accepted
    assert accepted.digest
    assert found.settlement.again is None


def test_the_reverse_index_holds_exactly_what_redo_accepted_or_already_has() -> None:
    accepted = conclude(DELIVERY, Outcome(OutcomeKind.ACCEPTED, 200), NOW)
    unchanged = settled(diff(Remembered(CHECKPOINT, None)))
    assert accepted.settlement.members == unchanged.settlement.members == MEMBERS


@pytest.mark.parametrize("kind", [OutcomeKind.REJECTED, OutcomeKind.UNKNOWN, OutcomeKind.UNAVAILABLE])
def test_the_reverse_index_keeps_all_while_redo_may_hold_an_older_state(kind: OutcomeKind) -> None:
    assert conclude(DELIVERY, Outcome(kind, None), NOW).settlement.members is None


def test_rows_of_an_order_that_is_confirmed_are_written_again_as_it_may_have_been_displaced_meanwhile() -> None:
    known = Remembered(CHECKPOINT, members=MEMBERS)
    for confirm, members in ((False, None), (True, MEMBERS)):
        delivery = replace(DELIVERY, entry=replace(ENTRY, confirm=confirm), remembered=known)
        found = conclude(delivery, Outcome(OutcomeKind.ACCEPTED, 200), NOW)
        assert found.settlement.members == members


def test_an_order_that_left_takes_its_rows_out_of_the_reverse_index() -> None:
    assert settled(diff(Remembered(CHECKPOINT, None), rows=0)).settlement.members == {}


def test_rejection_becomes_a_dead_letter_and_leaves_the_ledger() -> None:
    outcome = Outcome(OutcomeKind.REJECTED, 400, "http_400", violations=(Violation("lineItems[0].sku", "is required"),))
    found = conclude(DELIVERY, outcome, NOW)
    letter = found.settlement.dead_letter
    assert letter is not None
    assert (letter.reason, letter.status, letter.paths) == ("rejected", 400, ("lineItems[0].sku",))
    assert letter.fingerprint == ORDER.fingerprint
    assert found.settlement.checkpoint is None
    assert found.settlement.again is None


@pytest.mark.parametrize(
    ("outcome", "attempts", "confirm"),
    [
        (Outcome(OutcomeKind.REFUSED, 401), 1, False),
        (Outcome(OutcomeKind.THROTTLED, 429), 0, False),
        (Outcome(OutcomeKind.UNAVAILABLE, None, "connect"), 1, False),
        (Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503"), 1, True),
        (Outcome(OutcomeKind.UNKNOWN, None, "timeout"), 1, True),
    ],
    ids=lambda value: value.reason or value.kind if isinstance(value, Outcome) else str(value),
)
def test_every_other_answer_keeps_the_order_in_the_ledger(outcome: Outcome, attempts: int, confirm: bool) -> None:
    found = conclude(DELIVERY, outcome, NOW)
    again = found.settlement.again
    assert again is not None
    assert (again.attempts, again.confirm) == (attempts, confirm)
    assert found.result is None
    assert found.settlement.checkpoint is None


def test_an_order_that_fails_again_and_again_is_a_dead_letter_that_is_still_tried() -> None:
    lasting = replace(FAILURE, attempts=6, lasting=True)
    outcome = Outcome(OutcomeKind.UNAVAILABLE, 500, "http_500", "500: Redo fails")

    def failed(delivery: Delivery) -> Settlement:
        return concluding.conclude(delivery, outcome, NOW - 0.1, NOW, TERMS, lasting).settlement

    first = failed(replace(DELIVERY, entry=replace(ENTRY, attempts=5)))
    letter, again = first.dead_letter, first.again
    assert letter is not None
    assert again is not None
    assert (letter.reason, letter.attempts, letter.status, letter.fingerprint) == (FAILING, 6, 500, None)
    assert (again.due, again.attempts) == (NOW + 9.0, 6)
    assert isinstance(diff(Remembered(dead_letter=letter)), Delivery), "it is pushed again though nothing changed"
    second = failed(replace(DELIVERY, remembered=Remembered(dead_letter=letter))).dead_letter
    assert second is not None
    assert second.attempts == 1, "the store adds them up"


def test_an_order_that_was_set_aside_is_pushed_when_it_changes() -> None:
    entry = replace(ENTRY, attempts=6, confirm=True)
    aside = concluding.set_aside(replace(DELIVERY, entry=entry), NOW, TERMS)
    letter = aside.settlement.dead_letter
    assert letter is not None
    assert (letter.reason, letter.fingerprint, aside.settlement.again) == (SET_ASIDE, ORDER.fingerprint, None)
    assert isinstance(diff(Remembered(dead_letter=letter)), Settled)
    assert isinstance(diff(Remembered(dead_letter=letter), tags=["other"]), Delivery)


def test_a_pending_confirmation_survives_every_answer_but_a_definite_one() -> None:
    delivery = replace(DELIVERY, entry=replace(ENTRY, confirm=True))
    for outcome in (Outcome(OutcomeKind.UNAVAILABLE, None, "connect"), Outcome(OutcomeKind.THROTTLED, 429)):
        again = conclude(delivery, outcome, NOW).settlement.again
        assert again is not None
        assert again.confirm
    back = put_back(delivery, NOW, Terms()).settlement.again
    assert back is not None
    assert back.confirm


LATE = replace(ENTRY, late_until=NOW + 50)
OLD_PLACE = Checkpoint(KEY, "999", b"", NOW - 50)


def test_a_confirmed_move_ends_once_nothing_can_land_late_any_more() -> None:
    """The old place is dealt with next; what was late must not be waited for, nor pushed, again and again."""
    delivery = replace(DELIVERY, entry=replace(ENTRY, late_until=NOW - 5), remembered=Remembered(OLD_PLACE))
    found = concluding.conclude(delivery, ACCEPTED, NOW - 0.1, NOW, Terms("delete"))
    assert found.settlement.leftovers == (OLD_PLACE.place,)
    assert found.settlement.again is not None
    assert found.settlement.again.late_until is None


@pytest.mark.parametrize("action", [Action.CANCEL, Action.DELETE])
def test_an_old_place_is_dealt_with_once_more_when_a_request_may_land_there_late(action: Action) -> None:
    remembered = Remembered(CHECKPOINT, leftovers=(OLD_PLACE.place,))
    delivery = replace(DELIVERY, entry=LATE, action=action, place=OLD_PLACE.place, remembered=remembered)
    found = conclude(delivery, ACCEPTED, NOW).settlement
    assert found.again is not None
    assert (found.again.due, found.leftovers, found.settled_places) == (NOW + 50, (OLD_PLACE.place,), ())
    after = replace(delivery, entry=replace(LATE, late_until=NOW - 5))
    assert conclude(after, ACCEPTED, NOW).settlement.settled_places == (OLD_PLACE.place,)


def test_a_refused_order_of_which_redo_may_hold_another_state_is_pushed_when_it_turns_back() -> None:
    rejected = Outcome(OutcomeKind.REJECTED, 400, "http_400")
    for entry in (replace(ENTRY, confirm=True), LATE):
        unsure = Remembered(CHECKPOINT)
        found = conclude(replace(DELIVERY, entry=entry, remembered=unsure), rejected, NOW).settlement
        wrong = settled(diff(unsure, entry=entry, customer=None)).settlement
        for settlement in (found, wrong):
            assert settlement.checkpoint is not None
            assert settlement.dead_letter is not None
            letter = replace(LETTER, fingerprint=b"another")
            assert isinstance(diff(Remembered(settlement.checkpoint, letter)), Delivery), "as the checkpoint was"
            assert (settlement.again is not None) == (entry is LATE), "what lands late is overwritten then"
    assert conclude(replace(DELIVERY, remembered=Remembered(CHECKPOINT)), rejected, NOW).settlement.checkpoint is None
    over = settled(diff(Remembered(CHECKPOINT), entry=replace(ENTRY, late_until=NOW - 5), customer=None))
    assert over.settlement.again is None
