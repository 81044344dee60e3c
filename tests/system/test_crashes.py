"""Invariant 3 under SIGKILL: at every named failpoint the process dies, is started again, and nothing is lost."""

from __future__ import annotations

import psycopg
import pytest

from connector.demo.shop.traffic import Kind, Traffic
from connector.pipeline.failpoints import POINTS, arm
from tests.support.fixtures.connector import Rig, eventually
from tests.support.narrowing import narrowed
from tests.support.processes.crashes import armed, killed


async def run_until_it_dies(rig: Rig, point: str, passes: int) -> None:
    """Start the command with the point armed, change things until it has killed itself."""
    process = armed(rig, point, passes)
    try:
        async with await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True) as conn:
            traffic = Traffic(conn, 3)

            async def died() -> bool:
                await traffic.step()
                await traffic.do(Kind.RENAMED)
                return process.poll() is not None

            await eventually(f"the process dies at {point}", died)
            await traffic.mend()
    finally:
        await killed(rig, process)


@pytest.mark.parametrize("passes", narrowed([0, 7], 7))
@pytest.mark.parametrize("point", [point for point in POINTS if not point.startswith("endpoints.")])
async def test_invariant_3_a_kill_at_a_crash_point_loses_nothing(rig: Rig, point: str, passes: int) -> None:
    await run_until_it_dies(rig, point, passes if point != "sweep.after_page" else min(passes, 1))
    await rig.start()
    await rig.quiet()
    verdict = await rig.verdict()
    assert verdict.clean, str(verdict)


async def test_a_kill_between_push_and_answer_is_confirmed_even_when_the_order_is_again_its_checkpoint(
    rig: Rig,
) -> None:
    """The push of B reached Redo, the process died, the order turned back to A, the checkpoint: Redo must get A."""
    rig.execute("UPDATE oms.order_header SET tag_list = 'a' WHERE ord_id = 4")
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.execute("UPDATE oms.order_header SET tag_list = 'b' WHERE ord_id = 4")
    await killed(rig, armed(rig, "deliver.after_push"))
    assert rig.stored()["4"]["tags"] == ["b"]
    rig.execute("UPDATE oms.order_header SET tag_list = 'a' WHERE ord_id = 4")
    await rig.start()
    await rig.quiet()
    assert rig.stored()["4"]["tags"] == ["a"]


def test_an_unknown_crash_point_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown failpoint"):
        arm("nowhere")
