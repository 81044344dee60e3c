"""Run the tests against several server versions.

`python -m tests.support.programs.version_matrix "13 14" -- -k stream`. As many versions run
at the same time as there may be test processes. One that fails stops no other; the summary at the end says how each
went.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import click

from tests.support.programs import postgres_versions


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one version went: pytest's exit code, its last line, and how long it took (s)."""

    major: int
    code: int
    said: str
    seconds: float

    def __str__(self) -> str:
        verdict = "passed" if self.code == 0 else f"FAILED (exit code {self.code})"
        return f"Postgres {self.major}: {verdict} in {self.seconds:.0f} s: {self.said}"


def run(major: int, workers: int, arguments: Sequence[str]) -> Outcome:
    """Run pytest in a process of its own, showing what it prints behind the version."""
    command = [sys.executable, "-m", "pytest", "--postgres", str(major), "-n", str(workers), *arguments]
    began, said = time.monotonic(), "no output"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            click.echo(f"{major} | {line}", nl=False)
            said = line.strip() or said
    return Outcome(major, process.returncode, said, time.monotonic() - began)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Test processes at a time.")
@click.argument("majors")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def cli(workers: int, majors: str, arguments: Sequence[str]) -> None:
    """Test on each of MAJORS ("13 14"); what follows -- goes to pytest."""
    wanted = [int(major) for major in majors.split()]
    for major in wanted:  # all first: a server that can't be had is known before any test has run
        try:
            postgres_versions.fetch(major)
        except postgres_versions.ServerMissing as error:
            raise click.ClickException(str(error)) from None
    side_by_side = min(workers, len(wanted))
    each = workers // side_by_side
    with ThreadPoolExecutor(side_by_side) as pool:
        # Without pytest's own workers where one would do: a process less to start and to collect in.
        outcomes = list(pool.map(lambda major: run(major, each if each > 1 else 0, arguments), wanted))
    click.echo("\n".join(["== All versions", *map(str, outcomes)]))
    sys.exit(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    cli()
