"""Answers that somebody compressed though none was asked for mean what they mean uncompressed, over a real socket."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from connector.model.orders import Outcome, OutcomeKind, Place
from connector.redo.client import LARGEST_ANSWER, LARGEST_ORDER, RedoClient
from connector.redo.content_encoding import Incomplete, Undecodable, decoded
from tests.support.redo_servers import accepting, client_of, said, serving, small_order

PLACE = Place("", "1")
TAKEN = json.dumps({"message": "Order synced successfully", "orderId": "1", "redoId": "r1"}).encode()
REFUSED = json.dumps({"error": "no", "errors": {"lineItems": {"0": {"quantity": "is no number"}}}}).encode()


def bare(body: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return machine.compress(body) + machine.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": bare,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "deflate, gzip": lambda body: gzip.compress(zlib.compress(body)),
    "identity": bytes,
    "identity, gzip": gzip.compress,
    "": bytes,
}


@asynccontextmanager
async def answered(answer: bytes) -> AsyncIterator[RedoClient]:
    async with serving(lambda _, request: answer) as seen, client_of(seen.url, "secret", timeout=5.0) as client:
        yield client


async def pushed(answer: bytes) -> Outcome:
    async with answered(answer) as client:
        return await client.push(small_order("1"))


async def test_no_coding_is_asked_for() -> None:
    requests: list[bytes] = []

    def script(order_id: str, request: bytes) -> bytes:
        requests.append(request)
        return accepting(order_id)

    async with serving(script) as seen, client_of(seen.url) as client:
        await client.push(small_order("1"))
        await client.read(PLACE)
        await client.delete(PLACE)
    assert [request.count(b"\r\nAccept-Encoding: identity\r\n") for request in requests] == [1, 1, 1]


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_compressed_acceptance_is_one(coding: str) -> None:
    outcome = await pushed(said(200, CODINGS[coding](TAKEN), f"Content-Encoding: {coding}"))
    assert (outcome.kind, outcome.redo_id) == (OutcomeKind.ACCEPTED, "r1")


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_compressed_rejection_names_its_fields(coding: str) -> None:
    outcome = await pushed(said(400, CODINGS[coding](REFUSED), f"CONTENT-ENCODING: {coding}"))
    assert outcome.kind is OutcomeKind.REJECTED
    assert [each.path for each in outcome.violations] == ["lineItems.?.quantity"]


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_compressed_order_is_read_back_and_a_compressed_deletion_counts(coding: str) -> None:
    shown = json.dumps({"orderId": "1", "note": "x" * 200_000, "success": True}).encode()
    async with answered(said(200, CODINGS[coding](shown), f"Content-Encoding: {coding}")) as client:
        answer = await client.read(PLACE)
        assert answer.order is not None
        assert len(answer.order["note"]) == 200_000
        assert (await client.delete(PLACE)).kind is OutcomeKind.ACCEPTED


async def test_two_headers_are_one_list() -> None:
    twice = gzip.compress(zlib.compress(TAKEN))
    outcome = await pushed(said(200, twice, "Content-Encoding: deflate", "Content-Encoding: gzip"))
    assert outcome.kind is OutcomeKind.ACCEPTED


async def test_what_a_proxy_has_decoded_and_still_calls_gzip_is_read_as_it_is() -> None:
    assert (await pushed(said(200, TAKEN, "Content-Encoding: gzip"))).kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
async def test_a_coding_that_can_not_be_read_is_an_unknown_outcome_that_names_it(coding: str) -> None:
    answer = said(200, b"\x0b\x02\x80", f"Content-Encoding: {coding}")
    outcome = await pushed(answer)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "bad_answer")
    assert f"its content coding, {coding.split(', ')[-1]}, can't be read" in (outcome.message or "")
    async with answered(answer) as client:
        assert (await client.read(PLACE)).outcome == outcome
    refused = await pushed(said(422, b"\x0b\x02\x80", f"Content-Encoding: {coding}"))
    assert (refused.kind, refused.violations) == (OutcomeKind.REJECTED, ())


async def test_a_server_that_puts_the_secret_there_is_not_repeated() -> None:
    outcome = await pushed(said(200, TAKEN, "Content-Encoding: secret"))
    assert outcome.reason == "bad_answer"
    assert "secret" not in (outcome.message or "").removeprefix("200: ")


async def test_a_compressed_answer_that_ends_early_counts_as_cut() -> None:
    for status in (200, 400, 503):
        cut = gzip.compress(TAKEN)[:-12]
        outcome = await pushed(said(status, cut, "Content-Encoding: gzip"))
        assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "cut")


async def test_a_damaged_one_is_no_acceptance() -> None:
    damaged = bytearray(gzip.compress(TAKEN))
    damaged[-6] ^= 0xFF
    outcome = await pushed(said(200, bytes(damaged), "Content-Encoding: gzip"))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "bad_answer")


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate"])
async def test_a_bomb_is_read_up_to_the_bound_of_any_answer(coding: str) -> None:
    bomb = CODINGS[coding](b'{"message": "' + bytes(4 * LARGEST_ORDER))
    assert len(bomb) < LARGEST_ORDER
    outcome = await pushed(said(200, bomb, f"Content-Encoding: {coding}"))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "bad_answer")
    async with answered(said(200, bomb, f"Content-Encoding: {coding}")) as client:
        assert (await client.read(PLACE)).outcome.reason == "bad_answer"
    assert len(decoded(bomb, coding, LARGEST_ANSWER, whole=False)) <= LARGEST_ANSWER


def test_several_members_are_one_body_and_padding_is_none() -> None:
    members = gzip.compress(TAKEN[:20]) + gzip.compress(TAKEN[20:])
    assert decoded(members, "gzip", LARGEST_ANSWER) == TAKEN
    assert decoded(members + bytes(512), "gzip", LARGEST_ANSWER) == TAKEN


def test_an_empty_body_has_no_coding() -> None:
    assert decoded(b"", "gzip", 10) == b""
    assert decoded(b"", "deflate", 10) == b""


@pytest.mark.parametrize("length", range(1, len(gzip.compress(TAKEN)) - 8))
def test_no_beginning_of_a_compressed_answer_is_taken_for_the_whole(length: int) -> None:
    with pytest.raises((Incomplete, Undecodable)):
        decoded(gzip.compress(TAKEN)[:length], "gzip", LARGEST_ANSWER)


def test_codings_without_end_are_refused() -> None:
    with pytest.raises(Undecodable, match="6 times"):
        decoded(b"", ", ".join(["gzip"] * 6), 10)
