"""Damaged streams: bytes of real ones, changed. The decoder refuses them, or says exactly what they now say.

A *wrong row* is a row, table, operation, column or transaction other than what the damaged bytes spell by the manual's
rules. The judge is tests/source/tapes/reference.py, a second decoder that shares no code with ours. It also knows
which bytes are checked against others (lengths, counts, marks, part letters, the ends of transactions), so that no
other value of them may pass. What no decoder can notice, because the protocol says it once, without a checksum:
content (values, names, types, transaction ids, keepalive positions); an Insert that became an Update without an old
row, or the reverse (their layouts are the same); NULL that became "unchanged"; a table's number that became another
known table's as wide.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from random import Random

import pytest

from connector.model.changes import Lsn, Transaction
from connector.source.stream.frame_decoder import FrameDecoder
from connector.source.stream.wire import ProtocolError
from tests.source.tapes import INTEREST, load, record, versions
from tests.source.tapes.reference import FIXED, FREE, MARK, PART, Refused, Stream, read
from tests.support.fixtures.postgres import Database

Frames = Sequence[bytes]


def decoded(frames: Frames) -> list[Transaction] | None:
    """What ours makes of a stream, in whole transactions; None: it is refused."""
    decoder = FrameDecoder(Lsn(0), INTEREST, 1_000_000)
    try:
        return [transaction for frame in frames if (transaction := decoder.take(frame)) is not None]
    except ProtocolError:
        return None


def judged(frames: Frames) -> list[Transaction] | None:
    try:
        return read(frames, INTEREST)
    except Refused:
        return None


@pytest.mark.parametrize("version", versions())
def test_recorded_streams_of_every_version_are_read_alike_by_both_decoders(version: int) -> None:
    transactions = decoded(load(version))
    assert transactions is not None
    assert len(transactions) == 12
    assert transactions == judged(load(version))


async def test_the_servers_own_stream_is_as_the_recorded_ones(database: Database) -> None:
    frames = await record(database.dsn, f"slot_{database.name}")
    transactions = decoded(frames)
    assert transactions == judged(frames)
    recorded = decoded(load(database.cluster.version))
    assert transactions is not None
    assert recorded is not None
    assert [each.changes for each in transactions] == [each.changes for each in recorded]


def may_pass(role: str, frame: bytes, offset: int, value: int) -> bool:
    """Whether a byte may have another value unnoticed."""
    if role == MARK:
        pair = {frame[offset], value}
        return pair == set(b"nu") or (pair == set(b"IU") and offset == 25)
    return role not in (FIXED, PART)


def values(role: str, before: int, random: Random) -> set[int]:
    """Other values for a byte."""
    letters = {MARK: b"ntuIUD", PART: b"KON", FIXED: random.randbytes(1)}
    return {before ^ 1, *letters.get(role, b"")} - {before}


def test_every_byte_changed_on_its_own_is_refused_or_read_as_it_stands() -> None:
    frames, random = load(max(versions())), Random(1)  # noqa: S311 -- to be repeated
    decoder, stream = FrameDecoder(Lsn(0), INTEREST, 1_000_000), Stream(INTEREST)
    passed = refused = 0
    for number, frame in enumerate(frames):
        # Copied by pickle, because that is quicker.
        ours, theirs = pickle.dumps(decoder), pickle.dumps(stream)
        decoder.take(frame)
        for offset, role in enumerate(stream.frame(frame)):
            if role == FREE and random.random() < 0.6:
                continue
            for value in values(role, frame[offset], random):
                changed = [frame[:offset] + bytes([value]) + frame[offset + 1 :], *frames[number + 1 :]]
                place = (number, offset, role, value)
                found = rest(pickle.loads(ours), changed)  # noqa: S301 -- ours, of a moment ago
                if found is None:
                    refused += 1
                    continue
                passed += 1
                assert may_pass(role, frame, offset, value), place
                assert found == ruled(pickle.loads(theirs), changed), place  # noqa: S301 -- ours, of a moment ago
    assert refused > 2_000
    assert passed > 500


def rest(decoder: FrameDecoder, frames: Frames) -> list[Transaction] | None:
    try:
        return [transaction for frame in frames if (transaction := decoder.take(frame)) is not None]
    except ProtocolError:
        return None


def ruled(stream: Stream, frames: Frames) -> list[Transaction] | None:
    known = len(stream.transactions)
    try:
        for frame in frames:
            stream.frame(frame)
    except Refused:
        return None
    return stream.transactions[known:]


def damaged(frames: Frames, random: Random) -> list[bytes]:
    """The stream with some of it cut, doubled, moved, mixed, or written over."""
    given = [*frames]
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at = random.randrange(len(given))
        given[at : at + 1] = replaced(given[at], random.choice(given), random)
    return given


def replaced(frame: bytes, other: bytes, random: Random) -> list[bytes]:
    cut = random.randrange(len(frame) + 1)
    choices: list[list[bytes]] = [
        [frame[:cut]],
        [frame[:cut], frame[cut:]],
        [frame + random.randbytes(random.randrange(1, 9))],
        [frame[:cut] + random.randbytes(random.randrange(1, 5)) + frame[cut:]],
        [frame[:cut] + other[random.randrange(len(other) + 1) :]],
        [frame[:25] + other[25:]],
        [overwritten(frame, random)],
        [b""],
        [frame, frame],
        [other, frame],
        [random.randbytes(random.randrange(40))],
    ]
    return random.choice(choices)


def overwritten(frame: bytes, random: Random) -> bytes:
    """With a number of two, four or eight bytes put somewhere: a length, a count, a position."""
    size = random.choice((2, 4, 8))
    number = random.choice((0, 1, 2, 255, 2 ** (8 * size - 1), 2 ** (8 * size) - 1, random.randrange(2 ** (8 * size))))
    at = random.randrange(max(1, len(frame) - size))
    return frame[:at] + number.to_bytes(size, "big") + frame[at + size :]


@pytest.mark.parametrize("version", versions())
def test_damaged_streams_are_refused_or_read_as_they_stand(version: int) -> None:
    refused = 0
    for seed in range(400):
        frames = damaged(load(version), Random(seed))  # noqa: S311 -- to be repeated
        found = decoded(frames)
        refused += found is None
        assert found == judged(frames), f"seed {seed}"
    assert refused > 200


def test_a_refused_stream_names_its_place_and_no_value() -> None:
    frames = load(max(versions()))
    at = next(number for number, frame in enumerate(frames) if b"mug" in frame)
    frames[at] = frames[at][:-1]
    decoder = FrameDecoder(Lsn(0), INTEREST, 100)
    for frame in frames[:at]:
        decoder.take(frame)
    with pytest.raises(ProtocolError) as caught:
        decoder.take(frames[at])
    start = int.from_bytes(frames[at][1:9], "big")
    assert str(caught.value).startswith(f"replication stream at 0/{start:X}: message 'I' is malformed at byte ")
    assert "mug" not in str(caught.value)


@pytest.mark.parametrize("frame", [b"", b"w", b"k", b"z", b"w" + bytes(20), b"k" + bytes(15), b"k" + bytes(18)])
def test_a_stump_of_a_frame_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameDecoder(Lsn(0), INTEREST, 100).take(frame)


def test_a_wrong_end_of_a_transaction_never_moves_the_flush_position() -> None:
    frames = load(max(versions()))
    at = next(number for number, frame in enumerate(frames) if frame[25:26] == b"C")
    for place in (slice(1, 9), slice(35, 43)):
        decoder = FrameDecoder(Lsn(0), INTEREST, 100)
        changed = bytearray(frames[at])
        changed[place] = (int.from_bytes(changed[place], "big") + 1_000_000).to_bytes(8, "big")
        for frame in frames[:at]:
            decoder.take(frame)
        before = decoder.lsns.flush
        with pytest.raises(ProtocolError, match="it ends elsewhere than it stands"):
            decoder.take(bytes(changed))
        assert decoder.lsns.flush == before
