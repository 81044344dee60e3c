"""The decoder, alone: what is encoded comes back, and what is malformed is said to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.changes import UNKNOWN, Lsn, Value
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
from connector.source.stream.rows import read_change
from connector.source.stream.wire import ProtocolError, unix_seconds
from tests.support.postgres.pgoutput_encoder import (
    AnyMessage,
    Delete,
    Insert,
    Row,
    RowChange,
    Update,
    decode_any,
    encode,
)

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
oids = st.integers(0, 2**32 - 1)
lsns = st.integers(0, 2**63 - 1).map(Lsn)
times = st.integers(-(2**63), 2**63 - 1)
values: st.SearchStrategy[Value] = st.none() | st.just(UNKNOWN) | texts
rows = st.lists(values, max_size=6).map(tuple)
row_pairs = st.lists(st.tuples(values, values), max_size=6).map(
    lambda pairs: (tuple(old for old, _ in pairs), tuple(new for _, new in pairs))
)
column_lists = st.lists(
    st.builds(Column, names, oids, st.integers(-(2**31), 2**31 - 1), st.booleans()),
    max_size=4,
    unique_by=lambda column: column.name,
).map(tuple)
row_changes = st.one_of(
    st.builds(Insert, oids, rows),
    st.builds(Update, oids, st.just(None), st.just(None), rows),
    st.builds(lambda oid, kind, both: Update(oid, kind, *both), oids, st.sampled_from(["K", "O"]), row_pairs),
    st.builds(Delete, oids, st.sampled_from(["K", "O"]), rows),
)
messages: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(Begin, lsns, times, oids),
    st.builds(Commit, st.just(0), lsns, lsns, times),
    st.builds(Origin, lsns, names),
    st.builds(Relation, oids, names, names, st.sampled_from("dnfi"), column_lists),
    st.builds(Type, oids, names, names),
    st.builds(Truncate, st.lists(oids, max_size=5).map(tuple), st.booleans(), st.booleans()),
    st.builds(Message, st.booleans(), lsns, names, st.binary(max_size=20)),
    row_changes,
)


@given(messages)
def test_every_message_comes_back_as_it_was_encoded(message: AnyMessage) -> None:
    assert decode_any(encode(message)) == message


@given(messages, st.data())
def test_a_frame_cut_short_or_drawn_out_is_refused(message: AnyMessage, data: st.DataObject) -> None:
    frame = encode(message)
    cut = frame[: data.draw(st.integers(0, len(frame) - 1))]
    with pytest.raises(ProtocolError, match="malformed at byte"):
        decode_any(cut)
    with pytest.raises(ProtocolError, match="malformed at byte"):
        decode_any(frame + data.draw(st.binary(min_size=1, max_size=3)))


@given(messages, st.data())
def test_a_mutated_frame_is_refused_or_decodes_to_what_it_now_says(message: AnyMessage, data: st.DataObject) -> None:
    frame = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_any(bytes(frame))
    except ProtocolError:
        return
    assert encode(decoded) == bytes(frame)


@given(st.binary(max_size=60))
def test_noise_is_refused_or_decodes_to_what_it_says(noise: bytes) -> None:
    try:
        decoded = decode_any(noise)
    except ProtocolError:
        return
    assert encode(decoded) == noise


@given(st.data())
def test_only_the_wanted_columns_of_a_row_are_decoded(data: st.DataObject) -> None:
    width = data.draw(st.integers(0, 6))
    row = st.tuples(*[values] * width)
    old, new = data.draw(row), data.draw(row)
    chosen = data.draw(st.permutations(range(width)))
    wanted = chosen[: data.draw(st.integers(0, width))]
    slots = [wanted.index(place) if place in wanted else -1 for place in range(width)]
    which = data.draw(st.sampled_from(["insert", "update", "both", "delete"]))
    kind, got_old, got_new = read_change(encode(change(old, new, which)), slots, len(wanted))
    assert got_old == ([old[place] for place in wanted] if which in ("both", "delete") else None)
    assert got_new == (None if which == "delete" else [new[place] for place in wanted])
    assert chr(kind) == {"both": "O", "delete": "K"}.get(which, "\0")


def change(old: Row, new: Row, which: str) -> RowChange:
    if which == "insert":
        return Insert(7, new)
    if which == "update":
        return Update(7, None, None, new)
    return Update(7, "O", old, new) if which == "both" else Delete(7, "K", old)


@given(row_changes, st.data())
def test_a_mutated_row_change_never_raises_anything_but_a_protocol_error(
    message: RowChange, data: st.DataObject
) -> None:
    frame = bytearray(encode(message))
    # The type byte stays: the caller has looked at it already.
    frame[data.draw(st.integers(5, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(6, len(frame)))])
    width = data.draw(st.integers(0, 6))
    try:
        read_change(cut, range(width), width)
    except ProtocolError:
        return
    assert encode(decode_any(cut)) == cut


def test_an_error_names_the_message_and_the_byte_and_not_the_value() -> None:
    frame = encode(Insert(7, ("secret-value",)))[:-3]
    with pytest.raises(ProtocolError) as caught:
        decode_any(frame)
    assert str(caught.value) == (
        "replication stream: message 'I' is malformed at byte 22: it goes on after its end or ends early"
    )


def test_a_binary_column_is_refused_because_text_was_asked_for() -> None:
    frame = encode(Insert(7, ("1",))).replace(b"t\0\0\0\x01", b"b\0\0\0\x01")
    with pytest.raises(ProtocolError, match="byte 8: a column is neither text, NULL nor unchanged"):
        decode_any(frame)


def test_the_streams_clock_becomes_unix_seconds() -> None:
    assert unix_seconds(0) == 946_684_800.0
    assert unix_seconds(-946_684_800_000_000) == 0.0
