"""Faults at random times while orders change: `python -m tests.chaos --seconds 240 --seed 7`. Exit code 1 when anything
was lost, stale, or didn't recover.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import structlog

from tests.chaos.faults import FAULTS
from tests.chaos.report import Report, Struck
from tests.chaos.scene import Scene


@click.command()
@click.option("--seconds", type=float, default=240.0, show_default=True, help="No fault is begun after this long.")
@click.option("--seed", type=int, default=None, help="Decides on changes, faults and pauses.")
@click.option("--only", multiple=True, type=click.Choice([*FAULTS]), help="Only these faults.")
@click.option("--json", "to", type=click.Path(path_type=Path), help="Write every figure to this file.")
def main(seconds: float, seed: int | None, only: tuple[str, ...], to: Path | None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = seed if seed is not None else int(time.time()) % 1_000_000
    click.echo(f"seed {chosen}")
    report = asyncio.run(run(seconds, chosen, only or tuple(FAULTS)))
    click.echo(str(report))
    if to is not None:
        to.write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
    sys.exit(0 if report.clean else 1)


async def run(seconds: float, seed: int, names: Sequence[str]) -> Report:
    """Every fault once, in random order, then again as long as time is left."""
    struck: list[Struck] = []
    async with Scene(seed) as scene:
        await scene.until_recovered()
        scene.writing.start()
        ends = time.monotonic() + seconds
        waiting: list[str] = []
        trouble = ""
        while not trouble and time.monotonic() < ends:
            waiting = waiting or scene.random.sample([*names], len(names))
            name = waiting.pop()
            if name == "checkpoint disk full" and not scene.disk_is_small:
                continue
            await asyncio.sleep(scene.random.uniform(0.2, 1.5))
            try:
                await FAULTS[name](scene)
                struck.append(Struck(name, await scene.until_recovered()))
                if name == "failed over to a standby":
                    await scene.renew_standby()
            except AssertionError as error:
                trouble = f"after '{name}': {error}"
            click.echo(f"{name}: not recovered" if trouble else f"{name}: recovered in {struck[-1].seconds:.1f} s")
        await asyncio.to_thread(scene.writing.stop)
        wrong = [trouble] if trouble else []
        if not trouble:
            await scene.until_recovered()
            wrong += [f"order {each.order_id} {each.what}: {'; '.join(each.details)}" for each in await scene.judge()]
        return Report(
            seed,
            tuple(struck),
            tuple(wrong),
            orders=len(scene.state.orders),
            transactions=scene.writing.committed,
            pushes=scene.state.pushes.total(),
            resent=scene.resent,
            peak_retained=scene.peak_retained,
            unexpected_ends=tuple(scene.supervisor.ends),
        )


if __name__ == "__main__":
    main()
