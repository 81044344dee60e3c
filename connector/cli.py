"""The verbs. Each reads the settings, calls one function of `app` or a room, prints, and exits.

Exit codes: 0 fine, 1 found problems, 2 wrong usage or configuration. No business rules here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click
import uvloop

from connector import __version__
from connector.errors import ConfigurationError, ConnectorError, Problem

T = TypeVar("T")

config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Settings file; default: $CONNECTOR_CONFIG, else ./connector.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


class _Group(click.Group):
    """Turns our errors into one clear message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            show_problems(error.problems)
            ctx.exit(2)
        except ConnectorError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)


def show_problems(problems: tuple[Problem, ...] | list[Problem]) -> None:
    for problem in problems:
        label = click.style("warning" if problem.warning else "problem", fg="yellow" if problem.warning else "red")
        where = f" {problem.where}:" if problem.where else ""
        click.echo(f"{label}:{where} {problem.what}", err=True)
        for line in problem.hint.splitlines():
            click.echo(f"    {line}", err=True)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="redo-connector")
def main() -> None:
    """Keeps Redo's copy of an OMS's orders true: tails Postgres, pushes complete orders that changed."""


@main.command()
@config_option
def run(config_path: str | None) -> None:
    """Follow the OMS and deliver, until SIGTERM."""
    from connector import app, config, logs

    settings = config.load(config_path)
    logs.configure(settings.log.format, settings.log.level)
    sys.exit(run_async(app.run(settings)))


@main.command()
@config_option
@json_option
def check(config_path: str | None, *, as_json: bool) -> None:
    """Look at everything `run` needs, changing nothing."""
    from connector import app, config

    problems = run_async(app.check(config.load(config_path)))
    serious = [problem for problem in problems if not problem.warning]
    if as_json:
        click.echo(json.dumps({"ok": not serious, "problems": [_as_dict(problem) for problem in problems]}, indent=2))
    else:
        show_problems(problems)
        if not serious:
            click.echo("Ready: `redo-connector run` can start.")
    sys.exit(1 if serious else 0)


@main.command()
@config_option
@json_option
def explain(config_path: str | None, *, as_json: bool) -> None:
    """Show, per table of the mapping, how a changed row leads to orders."""
    from connector import app, config
    from connector.report import explain_tree

    plan = run_async(app.explain(config.load(config_path)))
    if as_json:
        click.echo(json.dumps(plan, indent=2))
    else:
        explain_tree(plan)


@main.command()
@click.argument("keys", nargs=-1)
@config_option
@json_option
@click.option("--sample", default=3, show_default=True, help="How many orders, when no KEY is given.")
def preview(keys: tuple[str, ...], config_path: str | None, sample: int, *, as_json: bool) -> None:
    """Show what would be sent for orders, and what changed since Redo accepted them. Pushes nothing.

    KEY is the order's primary key in the OMS; for a composite key, a JSON list of texts.
    """
    from connector import app, config
    from connector.report import preview_orders

    previews = run_async(app.preview(config.load(config_path), keys, sample))
    if as_json:
        click.echo(json.dumps(previews, indent=2))
    else:
        preview_orders(previews)
    sys.exit(1 if any(one["verdict"] in ("invalid", "unreadable", "duplicate") for one in previews) else 0)


@main.command()
@config_option
@json_option
def status(config_path: str | None, *, as_json: bool) -> None:
    """Say how the running connector does; when none runs, what its store remembers."""
    from connector import app, config
    from connector.report import status_lines

    found = run_async(app.status(config.load(config_path)))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        status_lines(found)
    sys.exit(0 if found.get("ready") else 1)


@main.command()
@config_option
@click.option("--role", default="redo_connector", show_default=True, help="The role that the connector logs in as.")
def grants(config_path: str | None, role: str) -> None:
    """Print the SQL that gives the connector what it needs, and nothing more, for a DBA to run."""
    from connector import app, config

    click.echo(run_async(app.grants(config.load(config_path), role)))


def _as_dict(problem: Problem) -> dict[str, object]:
    return {"where": problem.where, "what": problem.what, "hint": problem.hint, "warning": problem.warning}
