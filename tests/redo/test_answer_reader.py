"""Reading an answer from bytes: however they arrive, what other clients read of them, and within bounds."""

from __future__ import annotations

from collections.abc import Sequence

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.redo.answer_reader import LARGEST_HEAD, AnswerReader, Malformed

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
USUAL = [
    OK + LENGTH + b"\r\n{}",
    OK + b"X:\r\nY:  1 \r\n" + LENGTH + b"\r\n{}",
    b"HTTP/1.1 200\r\n" + LENGTH + b"\r\n{}",
    b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n{}",
    OK + LENGTH + b"Connection: close\r\n\r\n{}",
    OK + LENGTH + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n{}",
    OK + CHUNKED + b"\r\n2;name=value\r\n{}\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n1\r\n{\r\n1\r\n}\r\n0\r\nTrailer: 1\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + LENGTH + b"\r\n{}",
    # what RFC 9112 lets a client read
    b"HTTP/1.1 200 OK\n" + b"Content-Length: 2\n\n{}",
    OK + b"X: a\r\n  b\r\n" + LENGTH + b"\r\n{}",
    OK + LENGTH + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n2 \r\n{}\r\n0\r\n\r\n",
    OK + b"X: \x01\r\n" + LENGTH + b"\r\n{}",
    OK + b"X: \xff\r\n" + LENGTH + b"\r\n{}",
]
MALFORMED = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 000 OK\r\n" + LENGTH + b"\r\n{}",
    b"HTTP/1.1 099 OK\r\n" + LENGTH + b"\r\n{}",
    b"HTTP/1.1 101 Switching\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nwords",
    OK + b"Content-Length: +2\r\n\r\n{}",
    OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    OK + b"X y: 1\r\n" + LENGTH + b"\r\n{}",
    OK + CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\nFFFFFFFFFFFFFFFFFFFF\r\n",
]


def read(parts: Sequence[bytes], most: int = 1000) -> AnswerReader:
    reader = AnswerReader(most)
    for part in parts:
        reader.feed(part)
    return reader


def by_h11(answer: bytes) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection goes on."""
    other = h11.Connection(h11.CLIENT)
    other.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    other.send(h11.EndOfMessage())
    other.receive_data(answer)
    status, body = 0, b""
    while not isinstance(event := other.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Response | h11.InformationalResponse | h11.Data), event
        if isinstance(event, h11.Data):
            body += event.data
        else:
            status = event.status_code
    return status, body, other.their_state is h11.DONE


@pytest.mark.parametrize("answer", USUAL)
def test_what_another_client_reads_is_read_the_same(answer: bytes) -> None:
    reader = read([answer])
    status, body, goes_on = by_h11(answer)
    assert reader.complete
    assert (reader.status, reader.body) == (status, body)
    assert reader.reusable <= goes_on


@pytest.mark.parametrize("answer", USUAL)
@given(data=st.data())
def test_an_answer_is_the_same_however_it_arrives(answer: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1))))
    parts = [answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    whole, cut = read([answer]), read(parts)
    for name in ("complete", "reusable", "whole", "status", "headers", "body"):
        assert getattr(whole, name) == getattr(cut, name)


@pytest.mark.parametrize("answer", USUAL)
def test_no_beginning_of_an_answer_is_taken_for_the_whole(answer: bytes) -> None:
    for length in range(len(answer)):
        reader = read([answer[:length]])
        assert not reader.complete
        assert not reader.end()


@pytest.mark.parametrize("answer", MALFORMED)
def test_what_is_no_answer_is_refused_and_not_repeated(answer: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read([answer])
    assert str(caught.value) in ("it is not HTTP/1.1", "its body is damaged")


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = read([OK + b"\r\n{", b"}"])
    assert not reader.complete
    assert reader.end()
    assert (reader.body, reader.reusable) == (b"{}", False)


@pytest.mark.parametrize("framing", [LENGTH, CHUNKED, b"Transfer-Encoding: gzip\r\n"])
def test_a_body_with_another_end_does_not(framing: bytes) -> None:
    assert not read([OK + framing + b"\r\n"]).end()


@pytest.mark.parametrize("answer", [USUAL[0], USUAL[6], USUAL[8]])
@pytest.mark.parametrize("surplus", [b"x", USUAL[0], b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
def test_after_more_than_one_answer_the_connection_is_not_used_again(answer: bytes, surplus: bytes) -> None:
    alone = read([answer])
    assert alone.reusable
    for reader in (read([answer + surplus]), read([answer, surplus])):
        assert (reader.status, reader.body, reader.reusable) == (alone.status, alone.body, False)


def test_an_answer_with_two_lengths_ends_its_connection() -> None:
    reader = read([OK + LENGTH + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n"])
    assert (reader.body, reader.reusable) == (b"{}", False)


def test_headers_are_in_lower_case_and_joined_and_interim_ones_and_trailers_are_none() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 1\r\nA: 0\r\n\r\n"
    trailers = b"2\r\n{}\r\n0\r\nRetry-After: 9\r\n\r\n"
    reader = read([interim + OK + b"A: 1\r\nb: 2\r\na: 3\r\n" + CHUNKED + b"\r\n" + trailers])
    assert reader.headers == {"a": "1, 3", "b": "2", "transfer-encoding": "chunked"}


@pytest.mark.parametrize("length", [b"Content-Length: 11\r\n\r\n", b"\r\n"])
def test_a_body_is_read_up_to_the_bound(length: bytes) -> None:
    reader = read([OK + length + b"01234", b"567890", b"and so on"], most=10)
    assert (reader.complete, reader.whole, reader.reusable, reader.body) == (True, False, False, b"0123456789")
    exact = read([OK + b"Content-Length: 10\r\n\r\n0123456789"], most=10)
    assert (exact.complete, exact.whole, exact.reusable) == (True, True, True)


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (OK + b"X: ", b"y" * 1000),
        (OK, b"A: b\r\n" * 100),
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
        (OK + CHUNKED + b"\r\n", b"1;" + b"x" * 10_000 + b"\r\n{\r\n"),
        (OK + CHUNKED + b"\r\n0\r\n", b"A: b\r\n" * 100),
    ],
)
def test_nothing_but_the_body_grows_beyond_a_bound(begins: bytes, goes_on: bytes) -> None:
    reader = read([begins], most=1000)
    goes_on *= 2 * LARGEST_HEAD // len(goes_on)
    reader.feed(goes_on[:1000])
    with pytest.raises(Malformed, match="too large"):
        reader.feed(goes_on)


@pytest.mark.parametrize(("status", "tunnel"), [(200, True), (204, True), (299, True), (300, False), (407, False)])
def test_the_answer_to_connect_ends_with_its_headers(status: int, tunnel: bool) -> None:
    reader = AnswerReader(0, connect=True)
    reader.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 %d Words\r\nContent-Length: 5\r\n\r\n" % status)
    assert (reader.complete, reader.status, reader.reusable) == (True, status, tunnel)
