"""What the mapping's answer for an order is known by, from one start to the next."""

from __future__ import annotations

from typing import Any, cast

import pytest

from connector.checkpoints.opening import in_memory
from connector.contract.order_builder import RedoContract
from connector.pipeline.ports.protocols import Assembler
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.row_digests import NO_DIGEST, RowDigests
from tests.support.sample_orders import document, row

GIFTS, PAYMENTS = "@oms.gift:1", "@oms.payment:1"
ROW = row(document())


class OfMapping:
    """An assembler that isn't asked."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint


async def digest(
    store: CheckpointStore, *indexes: str, mapping: str = "f", void: bool = False, **settings: Any
) -> bytes:
    """By the salt of one more start."""
    digests = RowDigests(store, cast("Assembler", OfMapping(mapping)), RedoContract(**settings))
    await digests.load(frozenset(indexes), void=void)
    return digests.of([ROW], {})


async def test_a_restart_keeps_the_digest() -> None:
    store = in_memory()
    first = await digest(store, GIFTS, PAYMENTS)
    assert first != NO_DIGEST
    assert await digest(store, GIFTS, PAYMENTS) == first


@pytest.mark.parametrize(
    "other",
    [{"mapping": "g"}, {"timezone": "Europe/Berlin"}, {"ignore": ()}, {"store_id": "s"}, {"stores": frozenset("st")}],
    ids=lambda other: next(iter(other)),
)
async def test_another_mapping_or_contract_has_other_digests(other: dict[str, Any]) -> None:
    store = in_memory()
    assert await digest(store) != await digest(store, **other)


async def test_a_part_of_the_reverse_index_that_goes_and_returns_has_lost_its_rows() -> None:
    store = in_memory()
    first = await digest(store, GIFTS, PAYMENTS)
    assert await digest(store, GIFTS) == first, "what goes is missed by no order"
    assert await digest(store, GIFTS, PAYMENTS) != first


async def test_checkpoints_that_return_are_known_by_no_digest_for_good() -> None:
    store = in_memory()
    first = await digest(store, GIFTS)
    later = await digest(store, GIFTS, void=True)
    assert later != first
    assert await digest(store, GIFTS) == later


async def test_without_a_mapping_there_are_no_digests_and_what_was_known_stays_so() -> None:
    store = in_memory()
    first = await digest(store, GIFTS)
    unusable = RowDigests(store, cast("Assembler", OfMapping("")), RedoContract())
    await unusable.load(None, void=False)
    assert unusable.of([ROW], {}) == NO_DIGEST
    assert await digest(store, GIFTS) == first
    await unusable.load(None, void=True)
    assert await digest(store, GIFTS) != first


async def test_no_row_and_several_rows_have_no_digest() -> None:
    digests = RowDigests(in_memory(), cast("Assembler", OfMapping("f")), RedoContract())
    await digests.load(frozenset(), void=False)
    assert (digests.of([], {}), digests.of([ROW, ROW], {})) == (NO_DIGEST, NO_DIGEST)
