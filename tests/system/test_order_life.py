"""One order's life, model-based: whatever happens to it, its OMS, Redo and the process, Redo ends up with the truth.

The real pipeline runs in virtual time over a small OMS in memory, the store in memory and the sandbox without sockets.
Hypothesis chooses what happens; what must hold at every moment is in `tests/system/life/witness.py`, the verdict at
the end in `tests/system/life/judge.py`.

For a long run: `ORDER_LIFE=5000 python -m pytest tests/system/test_order_life.py --timeout 0 -p no:randomly`, so many
lives of `ORDER_LIFE_STEPS` steps each (60), every time other ones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connector.model.errors import MappingBroken, SourceUnavailable
from connector.model.orders import OrderKey
from connector.pipeline.ports.records import SweepKind
from tests.system.life.judge import Verdict, rest
from tests.system.life.oms import SHOP, Header, Mood, Row
from tests.system.life.world import LATEST, MAIN, OTHER, TIMEOUT, Setup, World

KEYS = [OrderKey(key) for key in ("k1", "k2", "k3")]
KEY = st.sampled_from(KEYS)
IDS = ["#1", "#2", "#3"]
NOTES = st.sampled_from("ab")
MOODS = st.sampled_from(Mood)
PAUSES = st.sampled_from([0.0, 0.0, 0.001, 0.02, 0.3, 1.0, 6.0])
WAITS = st.sampled_from([0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 70.0, 200.0])
STORES = st.sampled_from([MAIN, OTHER, "*"])
MISSING = st.sampled_from(["ignore", "cancel", "delete"])

FEW = st.integers(1, 3)
METHODS = st.sampled_from([["POST", "DELETE", "GET"], ["POST"], ["DELETE"]])
TROUBLES = st.one_of(
    st.builds(lambda count: {"throttle": count, "retry_after": 2}, FEW),
    st.builds(lambda count, form: {"throttle": count, "retry_after_form": form}, FEW, st.just("none")),
    st.builds(lambda flips: {"token_flips": flips}, st.lists(FEW, min_size=1, max_size=3)),
    st.builds(
        lambda codes: {"answer": codes},
        st.lists(st.sampled_from([400, 408, 413, 422, 500, 502, 503, 204, 418]), min_size=1, max_size=3),
    ),
    st.builds(
        lambda codes: {"answer": codes, "answer_applies": True},
        st.lists(st.sampled_from([408, 500, 504, 204]), min_size=1, max_size=2),
    ),
    st.builds(
        lambda count, seconds, methods: {"late": count, "late_seconds": seconds, "methods": methods},
        FEW,
        st.sampled_from([2.0, 6.0, 11.0, LATEST - 1.0]),
        METHODS,
    ),
    st.builds(
        lambda name, count, methods: {name: count, "methods": methods},
        st.sampled_from(["cut_before", "cut", "cut_mid", "html", "wrong_body", "hang", "swallow"]),
        FEW,
        METHODS,
    ),
    st.just({"outage": True}),
    st.just({"unauthorized": True}),
    st.just({"error_rate": 0.5}),
)

SETUPS = st.builds(
    Setup,
    missing=MISSING,
    standby=st.booleans(),
    lazy=st.booleans(),
    most=st.sampled_from([None, None, 0, 1]),
    hop=st.sampled_from([0.0, 0.002, 0.2]),
    reading=st.sampled_from([0.0, 0.01, 0.7]),
    answering=st.sampled_from([0.0, 0.05, 0.9]),
    at_once=st.sampled_from([1, 4]),
    refusal=st.sampled_from([400, 413, 422]),
)


class OrderLife(RuleBasedStateMachine):
    @initialize(setup=SETUPS)
    def begin(self, setup: Setup) -> None:
        self.world = World(setup)
        for key, order_id in zip(KEYS, IDS, strict=True):
            self.world.oms.commit({Row("order", key): Header(order_id, MAIN)})

    # The OMS.

    def commit(self, writes: Mapping[Row, Any], hidden: bool, pause: float) -> None:
        self.world.oms.commit(writes, hidden=hidden)
        self.world.wait(pause)

    def header(self, key: OrderKey, **changes: Any) -> dict[Row, Any]:
        row = Row("order", key)
        before = self.world.oms.latest.get(row) or Header(IDS[KEYS.index(key)], MAIN)
        return {row: replace(before, **changes)}

    @rule(key=KEY, note=NOTES, hidden=st.booleans(), pause=PAUSES)
    def edit(self, key: OrderKey, note: str, hidden: bool, pause: float) -> None:
        self.commit(self.header(key, note=note), hidden, pause)

    @rule(key=KEY, mood=MOODS, hidden=st.booleans(), pause=PAUSES)
    def turn(self, key: OrderKey, mood: Mood, hidden: bool, pause: float) -> None:
        self.commit(self.header(key, mood=mood), hidden, pause)

    @rule(key=KEY, note=NOTES, mood=st.sampled_from([Mood.FINE, Mood.LEFT]), pause=PAUSES)
    def leave_or_return(self, key: OrderKey, note: str, mood: Mood, pause: float) -> None:
        self.commit(self.header(key, mood=mood, note=note), False, pause)

    @rule(key=KEY, hidden=st.booleans(), pause=PAUSES)
    def vanish(self, key: OrderKey, hidden: bool, pause: float) -> None:
        if self.world.oms.latest.get(Row("order", key)) is not None:
            self.commit({Row("order", key): None}, hidden, pause)

    @rule(key=KEY, again=st.booleans(), store=st.sampled_from([MAIN, OTHER]), pause=PAUSES)
    def move(self, key: OrderKey, again: bool, store: str, pause: float) -> None:
        order_id = IDS[KEYS.index(key)] + ("b" if again else "")
        self.commit(self.header(key, order_id=order_id, store_id=store), False, pause)

    @rule(key=KEY, quantity=st.integers(1, 2), hidden=st.booleans(), pause=PAUSES)
    def change_item(self, key: OrderKey, quantity: int, hidden: bool, pause: float) -> None:
        self.commit({Row("item", key): quantity}, hidden, pause)

    @rule(key=KEY, customer=st.sampled_from(["c1", "c2"]), hidden=st.booleans(), pause=PAUSES)
    def assign(self, key: OrderKey, customer: str, hidden: bool, pause: float) -> None:
        self.commit(self.header(key, customer=customer), hidden, pause)

    @rule(
        customer=st.sampled_from(["c1", "c2"]), name=st.sampled_from(["Ada", "Bea"]), hidden=st.booleans(), pause=PAUSES
    )
    def rename(self, customer: str, name: str, hidden: bool, pause: float) -> None:
        self.commit({Row("customer", customer): name}, hidden, pause)

    @rule(gift=st.sampled_from(["g1", "g2"]), key=st.none() | KEY, hidden=st.booleans(), pause=PAUSES)
    def give(self, gift: str, key: OrderKey | None, hidden: bool, pause: float) -> None:
        row = Row("gift", gift)
        if key is not None or self.world.oms.latest.get(row) is not None:
            self.commit({row: key}, hidden, pause)

    @rule(name=st.sampled_from(["web", "shop"]), hidden=st.booleans(), pause=PAUSES)
    def rename_shop(self, name: str, hidden: bool, pause: float) -> None:
        self.commit({SHOP: name}, hidden, pause)

    @rule(note=NOTES, mood=MOODS, hidden=st.booleans(), parts=st.booleans(), pause=PAUSES)
    def edit_two(self, note: str, mood: Mood, hidden: bool, parts: bool, pause: float) -> None:
        writes = self.header(KEYS[0], note=note, mood=mood) | self.header(KEYS[1], note=note)
        self.world.oms.commit(writes, hidden=hidden, parts=parts)
        self.world.wait(pause)

    @rule(count=st.none() | FEW, pause=PAUSES)
    def reveal(self, count: int | None, pause: float) -> None:
        self.world.oms.reveal(count)
        self.world.wait(pause)

    @rule(stalled=st.booleans())
    def stall_stream(self, stalled: bool) -> None:
        self.world.life.source.stalled = stalled
        self.world.oms.changed.set()

    @rule(pause=PAUSES)
    def cut_stream(self, pause: float) -> None:
        self.world.life.source.cut.set()
        self.world.oms.changed.set()
        self.world.wait(pause)

    @rule(away=st.sampled_from([None, None, SourceUnavailable("away"), MappingBroken("broken")]), pause=PAUSES)
    def come_and_go(self, away: Exception | None, pause: float) -> None:
        self.world.oms.away = away
        self.world.oms.changed.set()
        self.world.wait(pause)

    # Redo.

    @rule(store=STORES, switches=TROUBLES)
    def trouble(self, store: str, switches: dict[str, Any]) -> None:
        assert self.world.state.change(store, switches) is None

    @rule(pause=PAUSES)
    def mend_redo(self, pause: float) -> None:
        self.world.mend_redo()
        self.world.wait(pause)

    @rule(reachable=st.booleans(), pause=PAUSES)
    def reach(self, reachable: bool, pause: float) -> None:
        self.world.redo.reachable = reachable
        self.world.wait(pause)

    @rule(key=KEY, note=NOTES, seconds=st.sampled_from([6.0, 11.0, LATEST - 1.0]))
    def edit_what_lands_late(self, key: OrderKey, note: str, seconds: float) -> None:
        switches = {"late": 1, "late_seconds": seconds, "methods": ["POST"]}
        assert self.world.state.change("*", switches) is None
        self.commit(self.header(key, note=note), False, TIMEOUT - 1.0)

    # A person, and time.

    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(key=KEY)
    def redrive_one(self, key: OrderKey) -> None:
        self.ask(lambda control: control.resend([key]))

    @rule()
    def redrive_all(self) -> None:
        self.ask(lambda control: control.redrive(None))

    @rule(kind=st.sampled_from(SweepKind), resend=st.booleans(), pause=PAUSES)
    def sweep(self, kind: SweepKind, resend: bool, pause: float) -> None:
        self.ask(lambda control: control.sweep(kind, resend=resend))
        self.world.wait(pause)

    @rule(limit=st.none() | st.just(1))
    def approve(self, limit: int | None) -> None:
        for hold in self.world.run(self.world.memory.holds()):
            self.ask(lambda control, number=hold.number: control.approve(number, limit))

    def ask(self, what: Any) -> None:
        """What a person asks of a running connector may be lost with it; the inbox asks again."""
        self.world.ask(what)

    # The process.

    @rule(pause=PAUSES)
    def kill(self, pause: float) -> None:
        self.world.kill()
        self.world.wait(pause)
        self.world.start()

    @rule(key=KEY, again=st.booleans(), store=st.sampled_from([MAIN, OTHER]), pause=PAUSES)
    def kill_while_it_moves(self, key: OrderKey, again: bool, store: str, pause: float) -> None:
        self.move(key, again, store, self.world.setup.reading * 2 + self.world.setup.answering / 2)
        self.kill(pause)

    @rule(calls=st.integers(0, 25))
    def kill_soon(self, calls: int) -> None:
        self.world.life.fuse = calls

    @rule()
    def restart(self) -> None:
        self.world.end()
        self.world.start()

    @rule(killed=st.booleans(), approved=st.booleans(), pause=PAUSES)
    def go_elsewhere(self, killed: bool, approved: bool, pause: float) -> None:
        self.world.go_elsewhere(killed=killed, approved=approved)
        self.world.wait(pause)

    @rule()
    def change_mapping(self) -> None:
        self.world.change_mapping()

    @rule(running=st.booleans(), pause=PAUSES)
    def lose_slot(self, running: bool, pause: float) -> None:
        if not running:
            self.world.kill()
        self.world.lose_slot()
        self.world.wait(pause)
        if not running:
            self.world.start()

    @rule(pause=PAUSES)
    def move_slot(self, pause: float) -> None:
        self.world.move_slot()
        self.world.wait(pause)

    @rule(full=st.booleans(), pause=PAUSES)
    def fill_disk(self, full: bool, pause: float) -> None:
        self.world.life.full = full
        self.world.wait(pause)

    @invariant()
    def what_always_holds(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        if world.life.dead:
            world.wait(0.1)
            world.start()
        world.start_again_if_it_could_not()
        assert not world.witness.wrong, world.witness.wrong
        for store in world.state.all_stores():
            assert store.overlaps == 0, "a request began while the client waited for another one of the same order"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.end_well()
        finally:
            self.world.close()

    def end_well(self) -> None:
        """At both addresses."""
        self.end_well_here()
        self.world.go_elsewhere(killed=False, approved=False)
        self.end_well_here()

    def end_well_here(self) -> None:
        world = self.world
        self.what_always_holds()
        world.mend()
        world.run(rest(world))
        self.what_always_holds()
        self.judge(redriven=False)
        self.ask(lambda control: control.redrive(None))
        world.run(rest(world))
        self.what_always_holds()
        self.judge(redriven=True)
        pushes = [store.pushes.total() for store in world.state.all_stores()]
        self.ask(lambda control: control.sweep(SweepKind.RECONCILE))
        world.run(rest(world))
        found = world.life.pipeline.sweeps.last
        assert found is not None
        assert (found.missed, found.changed, found.extra) == (0, 0, 0), found
        assert [store.pushes.total() for store in world.state.all_stores()] == pushes

    def judge(self, *, redriven: bool) -> None:
        known = self.world.run(self.world.memory.known(KEYS))
        wrong = Verdict(self.world, known, redriven).judge(KEYS)
        assert not wrong, wrong


LIVES = int(os.environ.get("ORDER_LIFE", "0"))

OrderLife.TestCase.settings = settings(
    max_examples=LIVES or 40,
    stateful_step_count=int(os.environ.get("ORDER_LIFE_STEPS", "60" if LIVES else "30")),
    derandomize=not LIVES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestOrderLife = OrderLife.TestCase
