"""Huge transactions at full size: `python -m tests.system.huge [--only NAME] [--share 0.1] [--write-docs]`. Takes
minutes and gigabytes of disk. Exit code 1 when a promise wasn't kept.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from benchmarks.machine import machine
from benchmarks.report import replace
from tests.support.fixtures.cli import TOKEN, Cli, LocalRedo, free_port
from tests.support.fixtures.postgres import create_database, drop_database
from tests.support.postgres.cluster import Cluster, Template
from tests.system.huge.scenarios import SCENARIOS, Figures, play
from tests.system.huge.stage import Stage

DOCS = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN, END = "<!-- huge: written by `python -m tests.system.huge --write-docs` -->", "<!-- /huge -->"
SETTINGS = {"max_wal_size": "4GB", "autovacuum": "off"}


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*SCENARIOS]), help="Only these.")
@click.option("--share", type=float, default=1.0, show_default=True, help="Of the full sizes.")
@click.option("--write-docs", is_flag=True, help="Renew the table of docs/reliability.md.")
def main(only: tuple[str, ...], share: float, write_docs: bool) -> None:
    found: dict[str, Figures] = {}
    wrong = False
    with Template() as template, Cluster.create(template=template, settings=SETTINGS) as cluster:
        for name in only or SCENARIOS:
            size = max(SCENARIOS[name][2], int(SCENARIOS[name][1] * share))
            called = f"{size:,} {name}"
            click.echo(called)
            try:
                with _stage(cluster) as stage:
                    found[called] = play(stage, name, size)
            except AssertionError as error:
                wrong = True
                click.echo(f"  WRONG {error}")
            for what, figure in found.get(called, {}).items():
                click.echo(f"  {what:<44}{figure}")
        facts = machine(str(template.installation.version))
    if write_docs and not wrong:
        replace(_markdown(found, facts), BEGIN, END, DOCS)
    sys.exit(wrong)


@contextmanager
def _stage(cluster: Cluster) -> Iterator[Stage]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="redo-connector-huge-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database = create_database(cluster)
        stack.callback(drop_database, cluster, database.name)
        keeper = Cli(folder / "redo", {})
        keeper.folder.mkdir()
        stack.callback(keeper.end)
        said = keeper.start("sandbox", "--port", "0", "--store-id", "shop", "--api-secret", TOKEN)
        redo = LocalRedo(said.until_said(r"redo.base_url = (\S+)"))
        cli = Cli(
            folder,
            {
                "source": {"dsn": database.dsn, "slot": f"slot_{database.name}"},
                "redo": {"store_id": "shop", "api_secret": TOKEN, "base_url": redo.base_url},
                "status": {"port": free_port()},
                "log": {"format": "console"},
            },
        )
        stack.callback(cli.end)
        made = Stage(database, cli, redo)
        stack.callback(made.close)
        yield made


def _markdown(found: Mapping[str, Figures], facts: Mapping[str, str]) -> str:
    lines = [f"Machine: {', '.join(f'{name} {value}' for name, value in facts.items())}.", ""]
    lines += ["| what happens | measured |", "|---|---|"]
    lines += [
        f"| {name} | {'; '.join(f'{what}: {figure}' for what, figure in figures.items())} |"
        for name, figures in found.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
