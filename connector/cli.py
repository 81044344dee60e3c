"""The verbs. Each reads the settings, calls one function of `app` or a room, prints, and exits.

Exit codes: 0 fine, 1 found problems, 2 wrong usage or configuration. No business rules here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector import __version__
from connector.ending import Group, logged, run_async
from connector.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from connector.config import Settings


config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Settings file; default: $CONNECTOR_CONFIG, else ./connector.toml.",
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def _settings(path: str | None) -> Settings:
    """Read before the rooms are imported, which takes longer: wrong settings are told at once."""
    from connector import config

    return config.load(path)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="redo-connector")
def main() -> None:
    """Keeps Redo's copy of an OMS's orders true: tails Postgres, pushes complete orders that changed."""


@main.command()
@config_option
def run(config_path: str | None) -> None:
    """Follow the OMS and deliver, until SIGTERM."""
    settings = _settings(config_path)
    from connector import app, logs

    logs.configure(settings.log.format, settings.log.level)
    sys.exit(logged(app.run(settings), as_json=logs.writes_json(settings.log.format)))


@main.command()
@config_option
@json_option
def check(config_path: str | None, *, as_json: bool) -> None:
    """Look at everything `run` needs, changing nothing."""
    settings = _settings(config_path)
    from connector import survey
    from connector.report import problem_dict, show_problems

    problems = run_async(survey.check(settings))
    serious = [problem for problem in problems if not problem.warning]
    if as_json:
        click.echo(
            json.dumps({"ok": not serious, "problems": [problem_dict(problem) for problem in problems]}, indent=2)
        )
    else:
        show_problems(problems)
        if not serious:
            click.echo("Ready: `redo-connector run` can start.")
    sys.exit(1 if serious else 0)


@main.command()
@config_option
@json_option
def explain(config_path: str | None, *, as_json: bool) -> None:
    """Show how a changed row of each table leads to orders."""
    settings = _settings(config_path)
    from connector import survey
    from connector.report import explain_tree

    plan = run_async(survey.explain(settings))
    if as_json:
        click.echo(json.dumps(plan, indent=2))
    else:
        explain_tree(plan)


@main.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@config_option
@json_option
@click.option("--mapping", type=_FILE, metavar="FILE", help="Compare the configured mapping with this one.")
@click.option("--sample", type=click.IntRange(1), help="How many orders, when no KEY is given: 3; 200 with --mapping.")
@click.option("--values", is_flag=True, help="With --mapping: show old and new values of the examples.")
def preview(
    keys: tuple[str, ...],
    config_path: str | None,
    mapping: Path | None,
    sample: int | None,
    *,
    values: bool,
    as_json: bool,
) -> None:
    """Show what would be sent for orders. Pushes nothing.

    Says, too, whether that differs from what Redo last accepted; with --mapping, what another mapping would change.
    KEY is the order's primary key in the OMS; for a composite key, a JSON list of texts.
    """
    if values and mapping is None:
        raise click.UsageError("--values needs --mapping")
    settings = _settings(config_path)
    from connector import comparing, previewing, report

    if mapping is not None:
        compared = run_async(comparing.compare(settings, mapping, keys, sample or 200, values=values))
        click.echo(json.dumps(compared, indent=2, default=str)) if as_json else report.comparison(compared)
        sys.exit(1 if compared["rejected"] else 0)
    previews = run_async(previewing.preview(settings, keys, sample or 3))
    click.echo(json.dumps(previews, indent=2)) if as_json else report.preview_orders(previews)
    sys.exit(1 if any(one["problems"] for one in previews) else 0)


@main.command()
@config_option
@json_option
def status(config_path: str | None, *, as_json: bool) -> None:
    """Say how the running connector does. When none runs, what its store remembers."""
    settings = _settings(config_path)
    from connector import survey
    from connector.report import status_lines

    found = run_async(survey.status(settings))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        status_lines(found)
    sys.exit(0 if found.get("ready") else 1)


@main.group("dead-letters")
def dead_letters() -> None:
    """Orders that were refused for good, until they change. Works beside a running connector and without one."""


@dead_letters.command("list")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, in key order.")
def list_dead_letters(config_path: str | None, limit: int, *, as_json: bool) -> None:
    """Name them, with the reason and the fields at fault."""
    settings = _settings(config_path)
    from connector import survey
    from connector.report import dead_letter_lines

    found = run_async(survey.dead_letters(settings, limit))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        dead_letter_lines(found)


@dead_letters.command("show")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@config_option
@json_option
def show_dead_letters(keys: tuple[str, ...], config_path: str | None, *, as_json: bool) -> None:
    """What is wrong with these orders. KEY is the order's primary key in the OMS, as `list` prints it."""
    settings = _settings(config_path)
    from connector import survey
    from connector.report import dead_letter_lines, show_problems

    found = run_async(survey.dead_letters_of(settings, keys))
    unknown = [key for key in keys if key not in {letter["key"] for letter in found["dead_letters"]}]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif found["dead_letters"]:
        dead_letter_lines(found)
    hint = "`redo-connector dead-letters list` names those there are"
    show_problems([Problem("there is no dead letter for this order", hint, key) for key in unknown])
    sys.exit(1 if unknown else 0)


@main.command()
@config_option
@click.option("--role", default="redo_connector", show_default=True, help="The role that the connector logs in as.")
def grants(config_path: str | None, role: str) -> None:
    """Print the SQL with which a DBA lets the connector in. It gives what is needed, and nothing more."""
    settings = _settings(config_path)
    from connector import survey

    click.echo(run_async(survey.grants(settings, role)))


@main.command()
@config_option
@click.option("--yes", is_flag=True, help="Don't ask.")
def teardown(config_path: str | None, *, yes: bool) -> None:
    """Drop the slot and the publication from the OMS database.

    The checkpoint file stays: a later `run` makes a new slot and compares every order with its checkpoint.
    """
    settings = _settings(config_path)
    from connector import app
    from connector.source import teardown as source

    names = (app.source_dsn(settings), settings.source.slot, settings.source.publication)
    if not settings.source.manage:
        hint = f"let a DBA run:\n{source.statements(*names[1:])}"
        raise ConfigurationError([Problem("a DBA made the slot and the publication", hint, "source.manage")])
    found = run_async(source.leftovers(*names))
    if not found:
        click.echo(f"Nothing to drop: there is neither a slot {names[1]} nor a publication {names[2]}.")
        return
    if not yes:
        click.confirm(f"Drop {' and '.join(found)}?", abort=True)
    click.echo(f"Dropped {' and '.join(run_async(source.teardown(*names)))}.")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9465, show_default=True, help="0 takes a free one.")
@click.option("--store-id", default="sandbox", show_default=True)
@click.option("--api-secret", default="sandbox", show_default=True, help="The token to accept; not a real one.")
@click.option("--latency-ms", type=float, help="Wait before each answer.")
@click.option("--error-rate", type=click.FloatRange(0, 1), help="Share of requests answered with 500.")
@click.option("--rate-limit", type=int, help="Requests a second; more are answered with 429.")
@click.option("--outage", is_flag=True, help="Answer 503 to everything.")
@click.option("--unauthorized", is_flag=True, help="Answer 401 to everything.")
def sandbox(host: str, port: int, store_id: str, api_secret: str, **switches: Any) -> None:
    """A local Redo that enforces the published contract. Its switches can be changed while it runs."""
    from connector.redo.sandbox_server import run as serve

    def ready(base_url: str) -> None:
        click.echo(f"A local Redo for store {store_id}: set redo.base_url = {base_url}")
        click.echo(f"Orders it holds: {base_url}/_sandbox/orders   switches: {base_url}/_sandbox/switches")

    try:
        serve(host, port, store_id, api_secret, ready, **{name: value for name, value in switches.items() if value})
    except OSError as error:
        raise ConfigurationError(
            [Problem(f"can't listen there: {error.strerror}", "choose another --port or --host")]
        ) from None


@main.command()
@click.option("--seconds", default=30.0, show_default=True, help="How long people work.")
@click.option("--forever", is_flag=True, help="Until Ctrl-C.")
@click.option("--orders", default=2000, show_default=True, help="Orders there are at the start.")
@click.option("--rate", default=40.0, show_default=True, help="Transactions a second.")
@click.option("--seed", default=1, show_default=True, help="Of the traffic.")
def demo(seconds: float, orders: int, rate: float, seed: int, *, forever: bool) -> None:
    """The connector between an embedded Postgres and a local Redo."""
    from rich.console import Console

    from connector.demo.run import run as play

    console = Console(highlight=False)
    length = None if forever else seconds
    sys.exit(run_async(play(console, seconds=length, orders=orders, rate=rate, seed=seed)))
