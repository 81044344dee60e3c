"""Faults at random times while orders change: `python -m tests.system.chaos --seconds 240 --seed 7`. Exit code 1 when
anything was lost, stale, or didn't recover.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import structlog

from benchmarks.machine import machine
from tests.system.chaos.faults import FAULTS
from tests.system.chaos.report import Report, Struck, report_of
from tests.system.chaos.scene import Scene
from tests.system.chaos.takeovers import take_over

DOCS = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN = "<!-- chaos: written by `python -m tests.system.chaos --write-docs` -->"
BEGIN_TAKEOVERS = "<!-- takeovers: written by `python -m tests.system.chaos --takeovers 100 --write-docs` -->"


@click.command()
@click.option("--seconds", type=float, default=240.0, show_default=True, help="No fault is begun after this long.")
@click.option("--seed", type=int, default=None, help="Decides on changes, faults and pauses.")
@click.option("--only", multiple=True, type=click.Choice([*FAULTS]), help="Only these faults.")
@click.option("--takeovers", type=int, help="Two connectors instead of one, and so many takeovers; no other fault.")
@click.option("--json", "to", type=click.Path(path_type=Path), help="Write every figure to this file.")
@click.option("--write-docs", is_flag=True, help="Renew the table of docs/reliability.md.")
def main(
    seconds: float, seed: int | None, only: tuple[str, ...], takeovers: int | None, to: Path | None, write_docs: bool
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = seed if seed is not None else int(time.time()) % 1_000_000
    click.echo(f"seed {chosen}")
    if takeovers is not None:
        report = asyncio.run(take_over(chosen, takeovers))
    else:
        report = asyncio.run(run(seconds, chosen, only or tuple(FAULTS)))
    click.echo(str(report))
    if to is not None:
        to.write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
    if write_docs:
        _write_docs(report, "chaos" if takeovers is None else "takeovers")
    sys.exit(0 if report.clean else 1)


def _write_docs(report: Report, section: str) -> None:
    begins = BEGIN if section == "chaos" else BEGIN_TAKEOVERS
    head, begin, rest = DOCS.read_text(encoding="utf-8").partition(begins)
    _, end, tail = rest.partition(ends := f"<!-- /{section} -->")
    if not begin or not end:
        raise ValueError(f"{DOCS.name} has no measured section to replace")
    text = report.markdown(machine(report.postgres))
    DOCS.write_text(f"{head}{begins}\n{text}\n{ends}{tail}", encoding="utf-8")


async def run(seconds: float, seed: int, names: Sequence[str], rounds: int | None = None) -> Report:
    """Every fault once, in random order, then again: for so many rounds, or as long as time is left."""
    struck: list[Struck] = []
    wrong: list[str] = []
    async with Scene(seed) as scene:
        await scene.until_recovered()
        scene.writing.start()
        ends = time.monotonic() + seconds
        try:
            for name in _order(scene, names, rounds):
                if time.monotonic() > ends:
                    break
                struck.append(await _strike(scene, name))
            await asyncio.to_thread(scene.writing.stop)
            await scene.until_recovered()
            wrong = [f"order {each.order_id} {each.what}: {'; '.join(each.details)}" for each in await scene.judge()]
        except AssertionError as error:
            wrong = [str(error)]
        return report_of(scene, seed, struck, wrong)


def _order(scene: Scene, names: Sequence[str], rounds: int | None) -> Iterator[str]:
    possible = [name for name in names if scene.disk_is_small or name != "checkpoint disk full"]
    for _ in itertools.count() if rounds is None else range(rounds):
        yield from scene.random.sample(possible, len(possible))


async def _strike(scene: Scene, name: str) -> Struck:
    """Raises AssertionError when the connector doesn't recover."""
    await asyncio.sleep(scene.random.uniform(0.2, 1.5))
    await FAULTS[name](scene)
    try:
        seconds = await scene.until_recovered()
    except AssertionError as error:
        raise AssertionError(f"after '{name}': {error}") from None
    if name == "failed over to a standby":
        await scene.renew_standby()
    click.echo(f"{name}: recovered in {seconds:.1f} s")
    return Struck(name, seconds)


if __name__ == "__main__":
    main()
