"""Runs the oracle for long: `python -m tests.system.oracle.soak --seconds 600`. Exit code 1 when any run failed.

Each failure is printed with what is needed to play it again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import click
import structlog

from connector.model.errors import ConfigurationError
from tests.support.fixtures.postgres import Database
from tests.support.postgres.cluster import Cluster, Template
from tests.system.oracle import installed_shops
from tests.system.oracle.trial import Figures, OracleFailed, Plan, make_template, run
from tests.system.oracle.worlds import World, worlds


@click.command()
@click.option("--seconds", type=float, default=300.0, show_default=True, help="No new run is begun after this long.")
@click.option("--seed", type=int, default=None, help="The first seed; the next runs take the next ones.")
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    help="Only these schemas (see tests/system/oracle/worlds, tests/shops and examples).",
)
@click.option("--mapping", "mappings", multiple=True, help="Only these mappings.")
@click.option("--runs", type=int, default=None, help="At most so many runs of each mapping.")
@click.option("--transactions", type=int, default=25, show_default=True, help="Transactions a round.")
@click.option("--rounds", type=int, default=3, show_default=True, help="Rounds a run, judged one by one.")
@click.option("--no-shops", is_flag=True, help="Leave out the shops, whose schema is made with packages from PyPI.")
@click.option("--shop-venv", type=click.Path(path_type=Path), help="Keep the shop's packages here for the next time.")
def main(
    seconds: float,
    seed: int | None,
    schemas: tuple[str, ...],
    mappings: tuple[str, ...],
    runs: int | None,
    transactions: int,
    rounds: int,
    no_shops: bool,
    shop_venv: Path | None,
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    first = seed if seed is not None else int(time.time()) % 1_000_000
    known = {**worlds(), **({} if no_shops else installed_shops.worlds())}
    wanted = [known[name] for name in (schemas or known)]
    plans = (
        Plan(world, mapping, first + number, rounds, transactions)
        for number in (itertools.count() if runs is None else range(runs))
        for world in wanted
        for mapping in world.mappings
        if not mappings or mapping in mappings
    )
    with ExitStack() as stack:
        template = stack.enter_context(Template())
        cluster = stack.enter_context(Cluster.create(template=template, settings={"fsync": "off"}))
        sys.exit(1 if soak(plans, seconds, _Templates(cluster, shop_venv)) else 0)


class _Templates:
    """One database a schema, made when first asked for."""

    def __init__(self, cluster: Cluster, shop_venv: Path | None) -> None:
        self._cluster = cluster
        self._shop_venv = shop_venv
        self._made: dict[str, Database] = {}

    def of(self, world: World) -> Database:
        if world.name not in self._made:
            if world.name in installed_shops.worlds():
                self._made[world.name] = installed_shops.make_template(self._cluster, world, self._shop_venv)
            else:
                self._made[world.name] = make_template(self._cluster, world)
        return self._made[world.name]


def soak(plans: Iterator[Plan], seconds: float, templates: _Templates) -> int:
    """Run plan after plan; how many failed."""
    ends = time.monotonic() + seconds
    counts: dict[str, Counter[str]] = {}
    refused: set[str] = set()
    for plan in plans:
        name = f"{plan.world.name}/{plan.mapping}"
        if time.monotonic() > ends:
            break
        if name in refused:
            continue
        count = counts.setdefault(name, Counter())
        try:
            with tempfile.TemporaryDirectory() as folder:
                _add(count, asyncio.run(run(plan, templates.of(plan.world), Path(folder))))
        except OracleFailed as failure:
            count["failed"] += 1
            click.echo(f"FAILED {failure}\n")
        except ConfigurationError as error:
            refused.add(name)
            count["refused"] += 1
            click.echo(f"REFUSED {name}\n{error}\n")
    _summary(counts)
    return sum(count["failed"] for count in counts.values())


def _add(count: Counter[str], figures: Figures) -> None:
    count["passed"] += 1
    count["transactions"] += figures.transactions
    count["pushes"] += figures.pushes
    count["orders"] += figures.orders
    count["sweeps"] += figures.sweeps


def _summary(counts: Mapping[str, Counter[str]]) -> None:
    for name, count in counts.items():
        click.echo(f"{name:24}" + "".join(f"{count[what]:8} {what}" for what in _WORDS))


_WORDS = ("passed", "failed", "refused", "transactions", "orders", "pushes", "sweeps")

if __name__ == "__main__":
    main()
