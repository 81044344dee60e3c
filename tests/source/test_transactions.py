"""Messages to Transactions, without a server."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.changes import UNKNOWN, Changes, Image, Lsn, Operation, TableName, Transaction, Value
from connector.source.stream.pgoutput import (
    Begin,
    Column,
    Commit,
    Message,
    Origin,
    Relation,
    Truncate,
    Type,
)
from connector.source.stream.transactions import CatalogFacts, Transactions
from connector.source.stream.wire import ProtocolError
from tests.support.postgres.pgoutput_encoder import AnyMessage, Delete, Insert, Update, encode

ORDERS = TableName("shop", "orders")
OTHERS = TableName("shop", "others")
INTEREST = {ORDERS: ("customer", "id")}
BEGIN = Begin(Lsn(90), 1_000_000, 77)
COMMIT = Commit(0, Lsn(90), Lsn(100), 1_000_000)


def relation(
    oid: int = 1, name: str = "orders", columns: Sequence[str] = ("id", "note", "customer"), identity: str = "d"
) -> Relation:
    return Relation(oid, "shop", name, identity, tuple(Column(each, 25, -1, key=each == "id") for each in columns))


def run(messages: Sequence[AnyMessage], max_images: int = 2000, known: CatalogFacts | None = None) -> list[Transaction]:
    transactions = Transactions(INTEREST, max_images, known or CatalogFacts())
    given = [transactions.feed(encode(message)) for message in messages]
    return [each for each in given if each is not None]


def images(messages: Sequence[AnyMessage], identity: str = "d", known: CatalogFacts | None = None) -> tuple[Image, ...]:
    [transaction] = run([BEGIN, relation(identity=identity), *messages, COMMIT], known=known)
    [changes] = transaction.changes
    return changes.images


def test_a_transaction_has_the_wanted_columns_of_each_operation_in_the_order_they_were_asked_for() -> None:
    assert run(
        [
            BEGIN,
            relation(identity="f"),
            Insert(1, ("1", "x", "c1")),
            Insert(1, ("2", "x", None)),
            Update(1, None, None, ("1", "y", "c2")),
            Delete(1, "O", ("2", "x", None)),
            COMMIT,
        ]
    ) == [
        Transaction(
            xid=77,
            commit_lsn=Lsn(90),
            end_lsn=Lsn(100),
            commit_time=946_684_801.0,
            changes=(
                Changes(ORDERS, Operation.INSERT, 2, (("c1", "1"), (None, "2"))),
                Changes(ORDERS, Operation.UPDATE, 1, (("c2", "1"),)),
                Changes(ORDERS, Operation.DELETE, 1, ((None, "2"),)),
            ),
        )
    ]


def test_rows_that_look_the_same_in_wanted_columns_are_counted_but_held_once() -> None:
    [transaction] = run([BEGIN, relation(), *[Insert(1, ("1", str(n), "c")) for n in range(50)], COMMIT])
    assert transaction.changes == (Changes(ORDERS, Operation.INSERT, 50, (("c", "1"),)),)


def test_an_old_row_of_key_columns_leaves_the_others_unknown() -> None:
    assert images([Delete(1, "K", ("1", None, None))]) == ((UNKNOWN, "1"),)


def test_null_in_a_whole_old_row_is_null() -> None:
    assert images([Delete(1, "O", ("1", None, None))], "f") == ((None, "1"),)


def test_null_in_a_whole_old_row_is_unknown_where_a_partition_may_have_sent_its_key_alone() -> None:
    known = CatalogFacts(partial=frozenset({ORDERS}))
    assert images([Delete(1, "O", ("1", None, None))], "f", known) == ((UNKNOWN, "1"),)
    assert images([Update(1, "O", ("1", None, "b"), ("1", None, None))], "f", known) == (("b", "1"), (None, "1"))


def test_a_table_of_interest_is_followed_under_another_name_that_it_had_before_the_stream_began() -> None:
    messages: list[AnyMessage] = [BEGIN, relation(5, "attic"), Insert(5, ("1", "x", "c")), COMMIT]
    assert run(messages) == []
    [transaction] = run(messages, known=CatalogFacts({5: ORDERS}))
    assert transaction.changes == (Changes(ORDERS, Operation.INSERT, 1, (("c", "1"),)),)
    assert run(messages, known=CatalogFacts({5: OTHERS})) == []


def test_an_unchanged_toast_value_is_taken_from_the_old_row_when_there_is_one() -> None:
    assert images([Update(1, "O", ("1", "x", "big"), ("1", "y", UNKNOWN))], "f") == (("big", "1"),)
    assert images([Update(1, None, None, ("1", "y", UNKNOWN))]) == ((UNKNOWN, "1"),)
    assert images([Update(1, "K", ("1", None, None), ("1", "y", UNKNOWN))]) == ((UNKNOWN, "1"),)


@pytest.mark.parametrize("customer", ["c", UNKNOWN, None])
def test_a_row_with_another_identity_is_as_if_deleted_and_inserted(customer: Value) -> None:
    """The reverse index knows the row by its identity of before."""
    [transaction] = run([BEGIN, relation(), Update(1, "K", ("1", None, None), ("2", "y", customer)), COMMIT])
    assert transaction.changes == (
        Changes(ORDERS, Operation.DELETE, 1, ((UNKNOWN, "1"),)),
        Changes(ORDERS, Operation.INSERT, 1, ((customer, "2"),)),
    )


def test_a_wanted_column_that_the_relation_lost_is_unknown_from_then_on() -> None:
    without = relation(columns=("id", "note"))
    [transaction] = run([BEGIN, relation(), Insert(1, ("1", "x", "c")), without, Insert(1, ("2", "x")), COMMIT])
    assert transaction.changes[0].images == (("c", "1"), (UNKNOWN, "2"))


def test_tables_outside_the_interest_are_left_out_and_an_empty_transaction_only_moves_the_end() -> None:
    transactions = Transactions(INTEREST)
    messages: list[AnyMessage] = [BEGIN, relation(2, "others"), Insert(2, ("1", "x", "c"))]
    for message in [*messages, Truncate((2,), False, False), COMMIT]:
        assert transactions.feed(encode(message)) is None
    assert transactions.end_lsn == 100
    assert not transactions.inside


def test_truncate_names_every_table_of_interest_once() -> None:
    [transaction] = run(
        [BEGIN, relation(), relation(2, "others"), Truncate((2, 1), True, False), Truncate((1,), False, True), COMMIT]
    )
    assert transaction.changes == (Changes(ORDERS, Operation.TRUNCATE, 1, ()),)


def test_origins_types_and_logical_messages_change_nothing() -> None:
    extra: list[AnyMessage] = [
        Origin(Lsn(5), "upstream"),
        Type(9, "shop", "state"),
        Message(True, Lsn(5), "app", b"secret"),
    ]
    assert run([BEGIN, relation(), *extra, Insert(1, ("1", "x", "c")), COMMIT]) == run(
        [BEGIN, relation(), Insert(1, ("1", "x", "c")), COMMIT]
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(1, 10))
def test_parts_of_a_large_transaction_hold_every_image_and_only_the_last_has_an_end(
    keys: list[int], bound: int
) -> None:
    transactions = Transactions(INTEREST, bound)
    updates = [Update(1, "O", (str(key), None, "a"), (str(key), None, "b")) for key in keys]
    messages: list[AnyMessage] = [BEGIN, relation(identity="f"), *updates, COMMIT]
    parts = []
    for message in messages:
        part = transactions.feed(encode(message))
        assert transactions.held <= bound + 1
        parts += [part] if part is not None else []
    assert [part.end_lsn for part in parts] == [None] * (len(parts) - 1) + [100]
    assert sum(changes.rows for part in parts for changes in part.changes) == len(keys)
    seen = {image for part in parts for changes in part.changes for image in changes.images}
    assert seen == {(customer, str(key)) for key in keys for customer in "ab"}


OUT_OF_ORDER: dict[str, list[AnyMessage]] = {
    "a change outside a transaction": [BEGIN, relation(), COMMIT, Insert(1, ("1", "x", "c"))],
    "a relation outside a transaction": [relation()],
    "a type outside a transaction": [Type(9, "shop", "state")],
    "an origin outside a transaction": [Origin(Lsn(5), "upstream")],
    "truncate outside a transaction": [BEGIN, relation(), COMMIT, Truncate((1,), False, False)],
    "a transaction inside another": [BEGIN, BEGIN],
    "a commit without its begin": [COMMIT],
    "another transaction's commit": [BEGIN, Commit(0, Lsn(91), Lsn(100), 1_000_000)],
    "another transaction's time": [BEGIN, Commit(0, Lsn(90), Lsn(100), 1_000_001)],
    "a commit that ends before it begins": [BEGIN, Commit(0, Lsn(90), Lsn(90), 1_000_000)],
    "commits out of order": [BEGIN, COMMIT, Begin(Lsn(99), 1_000_000, 78)],
    "a transaction without an id": [Begin(Lsn(90), 1_000_000, 2)],
    "a time of no clock": [Begin(Lsn(90), 2**62, 77)],
    "a relation that was never announced": [BEGIN, Insert(1, ("1", "x", "c"))],
    "truncate of an unknown relation": [BEGIN, Truncate((1,), False, False)],
    "another number of columns": [BEGIN, relation(), Insert(1, ("1", "x"))],
    "two columns of one name": [BEGIN, relation(columns=("id", "id"))],
    "a whole old row under a key's identity": [BEGIN, relation(), Delete(1, "O", ("1", None, None))],
    "a key under a whole row's identity": [BEGIN, relation(identity="f"), Delete(1, "K", ("1", None, None))],
}


@pytest.mark.parametrize("messages", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_a_stream_out_of_order_is_a_protocol_error(messages: list[AnyMessage]) -> None:
    run(messages[:-1])
    with pytest.raises(ProtocolError):
        run(messages)


def test_an_empty_message_is_passed_over_only_in_place_of_an_unknown_origin() -> None:
    transactions = Transactions(INTEREST)
    with pytest.raises(ProtocolError):
        transactions.feed(b"")
    transactions.feed(encode(BEGIN))
    assert transactions.feed(b"") is None
    transactions.feed(encode(relation()))
    with pytest.raises(ProtocolError):
        transactions.feed(b"")


@pytest.mark.parametrize("frame", [b"I", b"U\0", b"Z"])
def test_a_stump_of_a_message_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        Transactions(INTEREST).feed(frame)
