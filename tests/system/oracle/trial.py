"""One run of the oracle: a fresh database, a whole connector, a few rounds of changes, and a judgement after each.

Everything that is random comes from the seed, so a failure is looked into by playing the same changes again without a
connector: that tells which transactions changed the order's answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from connector.pipeline.ports.records import SweepKind
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster
from tests.system.oracle.judge import RecordingState, Wrong, believed, judge
from tests.system.oracle.worlds import World
from tests.system.oracle.writers import Committed, Traffic

SHOWN_ORDERS: Final = 3
SHOWN_TRANSACTIONS: Final = 4
SHOWN_PATHS: Final = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """`transactions` a round. In the second round the connector is down while they happen."""

    world: World
    mapping: str
    seed: int
    rounds: int = 3
    transactions: int = 25

    @property
    def sql(self) -> str:
        return self.world.mappings[self.mapping]

    def __str__(self) -> str:
        return f"--schema {self.world.name} --mapping {self.mapping} --seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run did. `refused_statements`: by the database, and rolled back. `sweeps`: after the first backfill."""

    transactions: int
    refused_statements: int
    orders: int
    pushes: int
    sweeps: int


class OracleFailed(AssertionError):
    """The message is the whole report."""


def make_template(cluster: Cluster, world: World) -> Database:
    """A database with the world's schema, to be copied for each run."""
    made = create_database(cluster)
    with made.connect() as conn:
        conn.execute(world.schema.encode())
    return made


async def run(plan: Plan, template: Database, folder: Path) -> Figures:
    """Raises OracleFailed with the report, ConfigurationError when the mapping is refused."""
    database = await asyncio.to_thread(create_database, template.cluster, template.name)
    state = RecordingState()
    try:
        async with SandboxServer(state) as sandbox:
            swept = list(plan.world.swept.get(plan.mapping, ()))
            # A sweep may find most orders of so small a shop to differ, and nobody is there to approve that.
            settings: dict[str, dict[str, Any]] = {"mapping": {"sweep_tables": swept}, "guard": {"max_share": 1.0}}
            rig = Rig(database, sandbox, folder, plan.sql, settings)
            try:
                figures, wrong, round_number = await _play(plan, rig, state)
            finally:
                await rig.stop()
        if wrong:
            report = await asyncio.to_thread(_report, plan, template, wrong, round_number)
            if report:
                raise OracleFailed(report)
        return figures
    finally:
        await asyncio.to_thread(drop_database, database.cluster, database.name)


async def _play(plan: Plan, rig: Rig, state: RecordingState) -> tuple[Figures, list[Wrong], int]:
    wrong: list[Wrong] = []
    number = 0
    sweeps: set[float] = set()
    with await asyncio.to_thread(Traffic, rig.dsn, plan.world, plan.seed) as traffic:
        await asyncio.to_thread(traffic.fill)
        await rig.start()
        for number in range(1, plan.rounds + 1):
            if number == 2:
                await rig.stop()
            await asyncio.to_thread(traffic.play, plan.transactions)
            if number == 2:
                await rig.start()
            await rig.quiet()
            memory = rig.running.pipeline.ports.store
            if (sweep := await memory.sweep()) is not None and sweep.kind is not SweepKind.BACKFILL:
                sweeps.add(sweep.started_at)
            belief = await believed(memory)
            wrong = await asyncio.to_thread(judge, rig.dsn, plan.sql, state, belief)
            if wrong:
                break
        figures = Figures(traffic.committed, traffic.failed, len(state.orders), state.pushes.total(), len(sweeps))
    return figures, wrong, number


def _report(plan: Plan, template: Database, wrong: Sequence[Wrong], rounds: int) -> str:
    """Empty when a replay shows that nothing was wrong after all: an order that left the mapping and came back as it
    was is sent again."""
    lines: list[str] = []
    told = 0
    for each in wrong:
        changed, left = (
            _trace(plan, template, each.order_id, rounds) if each.order_id and told < SHOWN_ORDERS else ([], False)
        )
        if left and "pushed although" in each.what:
            continue
        told += 1
        if told > SHOWN_ORDERS:
            continue
        lines.append(f"order {each.order_id} {each.what}" if each.order_id else each.what)
        lines += [f"  {detail}" for detail in each.details[:SHOWN_PATHS]]
        for transaction in changed[-SHOWN_TRANSACTIONS:]:
            lines.append(f"  its answer changed in transaction {transaction.number}:")
            lines += [f"    {statement}" for statement in transaction.statements]
    if not told:
        return ""
    head = f"{plan}: wrong after round {rounds} of {plan.rounds}, {told} complaints"
    return "\n".join([head, f"  replay: python -m tests.system.oracle.soak {plan} --runs 1", *lines])


def _trace(plan: Plan, template: Database, order_id: str, rounds: int) -> tuple[list[Committed], bool]:
    """Blocks. Play the same changes again, without a connector: which transactions changed the order's answer, and
    whether it was ever without one."""
    database = create_database(template.cluster, template.name)
    changed: list[Committed] = []
    seen: list[Any] = []
    query = f"SELECT row_to_json(m)::text FROM ({plan.sql.strip().rstrip(';')}\n) AS m WHERE m.id::text = %s"
    with database.connect() as conn:

        def look() -> bool:
            rows = conn.execute(query.encode(), (order_id,)).fetchall()
            found = [json.loads(text, parse_float=Decimal) for (text,) in rows]
            news = not seen or seen[-1] != found
            if news:
                seen.append(found)
            return news

        def note(transaction: Committed) -> None:
            if look():
                changed.append(transaction)

        with Traffic(database.dsn, plan.world, plan.seed, note) as traffic:
            traffic.fill()
            look()
            for _ in range(rounds):
                traffic.play(plan.transactions)
    drop_database(database.cluster, database.name)
    return changed, [] in seen
