"""What every checkpoint store promises about lookups, checkpoints, dead letters, the sweep and notes."""

from __future__ import annotations

from dataclasses import replace

from connector.model.orders import Lookup, OrderKey, Place
from connector.pipeline.ports.entries import Again, Arrival, Entry, Lane, PendingLookup
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement, Sweep, SweepKind, Tally
from connector.pipeline.ports.store import CheckpointStore
from tests.support.ledger import entries_taken

PEN = Lookup("orders of product", ("pen",))
INK = Lookup("orders of product", ("ink", 'quo"te'))
ANN = Lookup("orders of customer", ("ann",))


def entry(key: str) -> Entry:
    return Entry(OrderKey(key), 1, 1, 1.0, Lane.LIVE, 0, False)


def checkpoint(key: str, order_id: str = "", missing: bool = False) -> Checkpoint:
    return Checkpoint(OrderKey(key), order_id or f"#{key}", b"\x00\xff", 3.5, "redo-1", missing)


def letter(key: str, reason: str = "rejected", seen: float = 10.0) -> DeadLetter:
    return DeadLetter(OrderKey(key), reason, "not accepted", ("lineItems/0", "tags"), b"\x01", seen, seen, 1, 422)


async def look_up(memory: CheckpointStore, revision: int, *lookups: Lookup, since: float = 1.0) -> None:
    await memory.arrive([Arrival(revision, since, Lane.LIVE, lookups=frozenset(lookups))], [])


async def unread(memory: CheckpointStore, limit: int = 9) -> list[PendingLookup]:
    return await memory.take_lookups(limit, wide=False)


async def begun(memory: CheckpointStore, limit: int = 9) -> list[PendingLookup]:
    return await memory.take_lookups(limit, wide=True)


async def test_lookups_are_taken_oldest_first_and_one_route_at_a_time(memory: CheckpointStore) -> None:
    await look_up(memory, 1, ANN)
    await look_up(memory, 2, PEN)
    await look_up(memory, 3, INK)
    assert await unread(memory) == [PendingLookup(ANN, 1, 1, 1.0, None)]
    await memory.resolved(await unread(memory), None, None)
    assert [pending.lookup for pending in await unread(memory)] == [PEN, INK]
    assert [pending.lookup for pending in await unread(memory, 1)] == [PEN]


async def test_lookups_of_some_routes_are_passed_over_for_those_behind_them(memory: CheckpointStore) -> None:
    await look_up(memory, 1, ANN)
    await look_up(memory, 2, PEN)
    assert [one.lookup for one in await memory.take_lookups(9, wide=False, without={ANN.route})] == [PEN]
    assert await memory.take_lookups(9, wide=False, without={ANN.route, PEN.route}) == []
    for _ in range(2):
        await memory.resolved(await unread(memory), None, "m")
    assert [one.lookup for one in await memory.take_lookups(9, wide=True, without={ANN.route})] == [PEN]


async def test_lookups_whose_walk_has_begun_are_taken_apart_from_the_others(memory: CheckpointStore) -> None:
    await look_up(memory, 1, PEN)
    assert await begun(memory) == []
    await memory.resolved(await unread(memory), None, "m")
    await look_up(memory, 2, ANN)
    assert [pending.lookup for pending in await begun(memory)] == [PEN]
    assert [pending.lookup for pending in await unread(memory)] == [ANN]


async def test_the_walk_that_waits_longest_goes_on_first(memory: CheckpointStore) -> None:
    for revision, lookup in enumerate((INK, ANN, PEN)):
        await look_up(memory, revision, lookup)
    for cursor in "zyx":
        await memory.resolved(await unread(memory, 1), None, cursor)
    assert [(pending.lookup, pending.cursor) for pending in await begun(memory)] == [(INK, "z")]


async def test_the_same_lookup_twice_is_one(memory: CheckpointStore) -> None:
    await look_up(memory, 1, PEN, since=5.0)
    await look_up(memory, 4, PEN, since=9.0)
    assert await unread(memory) == [PendingLookup(PEN, 1, 4, 5.0, None)]
    tally = await memory.tally()
    assert (tally.lookups, tally.oldest_since) == (1, 5.0)


async def test_a_page_of_keys_and_its_cursor_are_stored_together(memory: CheckpointStore) -> None:
    await look_up(memory, 1, PEN)
    taken = await unread(memory)
    await memory.resolved(taken, Arrival(2, 1.0, Lane.FANOUT, frozenset({OrderKey("a")}), first_revision=1), "a")
    assert [pending.cursor for pending in await begun(memory)] == ["a"]
    (found,) = await entries_taken(memory, 9, 0.0, frozenset(), [Lane.FANOUT])
    assert (found.key, found.first_revision, found.revision) == ("a", 1, 2)
    assert await memory.recover() == 2


async def test_what_was_stored_a_day_ahead_waits_no_longer_than_anything_can(
    memory: CheckpointStore,
) -> None:
    day, now, longest = 86_400.0, 1_000.0, 1_060.0
    keys = frozenset(map(OrderKey, ("failed", "late", "new")))
    await memory.arrive([Arrival(1, now + day, Lane.LIVE, keys)], [])
    taken = {one.key: one for one in await entries_taken(memory, 9, now, frozenset(), [Lane.LIVE])}
    due = now + day + 60
    again = Again(due, 3, confirm=False), Again(due, 0, confirm=True, late_until=due, since=due)
    settled = (Settlement(taken[OrderKey(key)], again=one) for key, one in zip(("failed", "late"), again, strict=True))
    await memory.settle([*settled])
    await look_up(memory, 2, PEN, since=now + day)
    await memory.recover(late_until=longest, now=now, longest=longest)
    assert await memory.late_until() == longest
    assert await memory.next_due(frozenset(), failing=True) == longest
    assert {one.key: one.since for one in await entries_taken(memory, 9, longest, frozenset(), [Lane.LIVE])} == {
        "late": longest,
        "new": now,
    }
    assert (await memory.tally()).oldest_since == now


async def test_lookups_at_different_cursors_are_not_taken_together(memory: CheckpointStore) -> None:
    await look_up(memory, 1, PEN)
    await memory.resolved(await unread(memory), None, "m")
    await look_up(memory, 2, INK)
    await memory.resolved(await unread(memory), None, "n")
    assert [pending.lookup for pending in await begun(memory)] == [PEN]


async def test_the_last_page_forgets_the_lookups(memory: CheckpointStore) -> None:
    await look_up(memory, 1, PEN, INK)
    await memory.resolved(await unread(memory), None, "m")
    await memory.resolved(await begun(memory), None, None)
    assert (await unread(memory), await begun(memory)) == ([], [])


async def test_a_lookup_that_arrived_while_it_was_resolved_stays(memory: CheckpointStore) -> None:
    await look_up(memory, 1, PEN, INK, since=1.0)
    taken = await unread(memory)
    await look_up(memory, 2, PEN, since=7.0)
    await memory.resolved(taken, None, None)
    assert await unread(memory) == [PendingLookup(PEN, 2, 2, 7.0, None)]


async def test_a_lookup_that_arrived_during_its_walk_is_walked_to_the_end_and_then_again(
    memory: CheckpointStore,
) -> None:
    await look_up(memory, 1, PEN)
    await memory.resolved(await unread(memory), None, "c")
    await look_up(memory, 2, PEN, since=7.0)
    await memory.resolved(await begun(memory), None, "f")
    (pending,) = await begun(memory)
    assert (pending.cursor, pending.revision) == ("f", 2)
    await memory.resolved([pending], None, None)
    assert await unread(memory) == [PendingLookup(PEN, 2, 2, 7.0, None)]
    await memory.resolved(await unread(memory), None, None)
    assert (await unread(memory), await begun(memory)) == ([], [])


async def test_a_checkpoint_is_what_was_settled_last(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(entry("a"), checkpoint("a")), Settlement(entry("b"), checkpoint("b"))])
    newer = replace(
        checkpoint("a", order_id="other"),
        fingerprint=b"2",
        accepted_at=9.0,
        redo_id=None,
        digest=b"\x00",
        store_id="eu",
        traits=b"\x01",
        row_digest=b"\x02",
    )
    await memory.settle([Settlement(entry("a"), newer)])
    known = await memory.known([OrderKey("a"), OrderKey("nobody")])
    assert (known.checkpoints, known.dead_letters) == ({OrderKey("a"): newer}, {})


async def test_a_place_is_owned_until_its_order_is_missing(memory: CheckpointStore) -> None:
    there = replace(checkpoint("b", "1001"), store_id="eu")
    await memory.settle([Settlement(entry("a"), checkpoint("a", "1001")), Settlement(entry("b"), there)])
    asked = [Place("", "1001"), Place("eu", "1001"), Place("us", "1001"), Place("eu", "1002")]
    assert await memory.owners(asked) == {asked[0]: ("a",), asked[1]: ("b",)}
    assert await memory.owners(asked[:1]) == {asked[0]: ("a",)}
    await memory.settle([Settlement(entry("a"), checkpoint("a", "1001", missing=True))])
    assert await memory.owners(asked) == {asked[1]: ("b",)}


async def test_checkpoints_are_paged_without_the_missing(memory: CheckpointStore) -> None:
    names = ["é", "a", "c", "b", "10", "9"]
    await memory.settle([Settlement(entry(name), checkpoint(name, missing=name == "c")) for name in names])
    first = await memory.page_checkpoints(None, 3)
    rest = await memory.page_checkpoints(first[-1], 3)
    assert [*first, *rest] == ["10", "9", "a", "b", "é"]
    assert await memory.page_checkpoints(rest[-1], 3) == []


async def test_a_dead_letter_keeps_when_it_began_and_counts_attempts(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(entry("a"), dead_letter=letter("a", seen=10.0))])
    await memory.settle([Settlement(entry("a"), dead_letter=letter("a", "invalid", seen=20.0))])
    expected = replace(letter("a", "invalid"), first_seen=10.0, last_seen=20.0, attempts=2)
    assert (await memory.known([OrderKey("a")])).dead_letters == {"a": expected}
    assert await memory.dead_letters(None, 9) == [expected]


async def test_a_dead_letter_without_a_payload_has_no_fingerprint(memory: CheckpointStore) -> None:
    nothing_sent = replace(letter("a", "invalid"), fingerprint=None, status=None, paths=())
    await memory.settle([Settlement(entry("a"), dead_letter=nothing_sent)])
    assert await memory.dead_letters(None, 9) == [nothing_sent]


async def test_a_cleared_dead_letter_is_gone(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(entry("a"), dead_letter=letter("a"))])
    await memory.settle([Settlement(entry("a"), checkpoint("a"), clear_dead_letter=True)])
    assert await memory.dead_letters(None, 9) == []


async def test_dead_letters_are_paged_by_key(memory: CheckpointStore) -> None:
    await memory.settle([Settlement(entry(name), dead_letter=letter(name)) for name in "cabd"])
    assert [found.key for found in await memory.dead_letters(OrderKey("a"), 2)] == ["b", "c"]


async def test_the_tally_counts(memory: CheckpointStore) -> None:
    assert await memory.tally() == Tally(0, 0, None, 0, 0, {})
    await memory.arrive([Arrival(1, 2.0, Lane.LIVE, frozenset({OrderKey("z")}), frozenset({PEN}))], [])
    await memory.settle([Settlement(entry(name), checkpoint(name)) for name in "abc"])
    await memory.settle([Settlement(entry("a"), checkpoint("a", missing=True)) for _ in range(2)])
    refused = [letter("d"), letter("e"), letter("f", "invalid")]
    await memory.settle([Settlement(entry(dead.key), dead_letter=dead) for dead in refused])
    assert await memory.tally() == Tally(1, 1, 2.0, 3, 1, {"rejected": 2, "invalid": 1})
    await memory.settle([Settlement(entry("a"), checkpoint("a"))])
    assert (await memory.tally()).missing == 0


async def test_the_sweep_is_remembered_as_saved(memory: CheckpointStore) -> None:
    assert await memory.sweep() is None
    begun = Sweep(SweepKind.BACKFILL, "first start", 3, 3, 12.5)
    await memory.arrive([], [], begun)
    assert await memory.sweep() == begun
    walked = replace(begun, phase=1, cursor="m", scanned=7, wanted_revision=4, finished_at=99.0)
    walked = replace(walked, missed=1, changed=2, extra=3, held=4)
    await memory.save_sweep(walked)
    assert await memory.sweep() == walked


async def test_a_note_is_replaced_by_the_next(memory: CheckpointStore) -> None:
    assert await memory.noted("mapping") is None
    await memory.note("mapping", "1")
    await memory.note("mapping", "2")
    assert await memory.noted("mapping") == "2"


async def test_closing_twice_is_fine(memory: CheckpointStore) -> None:
    await memory.close()
    await memory.close()
