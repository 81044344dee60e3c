"""The verbs that run something of their own: run, sandbox, demo; and teardown, which ends it."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import Any, Final, TextIO

import click

from connector.cli.exit_codes import logged, run_async
from connector.cli.verbs.options import NO_REDO, config_option, confirm, settings_of, yes_option
from connector.model.errors import ConfigurationError, Problem

_LONGEST_SECRET: Final = 10_000
"""Characters; a token is far shorter."""


@click.command()
@config_option
@click.option("--yes", is_flag=True, help="Don't hold what goes to an address or store that has accepted nothing yet.")
def run(config_path: str | None, *, yes: bool) -> None:
    """Follow the OMS and deliver, until SIGTERM.

    Checkpoints count for the address and store that accepted them. With another one in the settings every order is
    pushed there, once `approve` (or --yes) lets it.
    """
    settings = settings_of(config_path)
    from connector.daemon import app, preparation
    from connector.logs import setup
    from connector.settings.exposure import readable_by_all

    setup.configure(settings.log.format, settings.log.level)
    preparation.warn(readable_by_all(config_path))
    sys.exit(logged(app.run(settings, approve_endpoints=yes), as_json=setup.writes_json(settings.log.format)))


@click.command()
@config_option
@yes_option
def teardown(config_path: str | None, *, yes: bool) -> None:
    """Drop the slot and the publication from the OMS database.

    Asks first on a terminal; elsewhere it only shows, unless --yes. The checkpoint file stays: a later `run` makes a
    new slot and compares every order with its checkpoint.
    """
    settings = settings_of(config_path, NO_REDO)
    from connector.cli.report.problems import show_problems
    from connector.daemon.source import teardown as source

    found = run_async(source.leftovers(settings))
    if not found:
        slot, publication = settings.source.slot, settings.source.publication
        click.echo(f"Nothing to drop: there is neither a slot {slot} nor a publication {publication}.")
    if found.droppable:
        question = f"Drop {found}?"
        confirm(question, yes=yes, show=partial(click.echo, question))
        found = run_async(source.drop(settings))
        click.echo(f"Dropped {found}.")
    show_problems(found.others)
    sys.exit(1 if found.others else 0)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9465, show_default=True, help="0 takes a free one.")
@click.option("--store-id", default="sandbox", show_default=True)
@click.option("--api-secret", default="sandbox", show_default=True, help="The token to accept; not a real one.")
@click.option(
    "--api-secret-file",
    type=click.File("r", encoding="utf-8"),
    envvar="SANDBOX_API_SECRET_FILE",
    show_envvar=True,
    help="Where the token to accept is; blanks around it don't count.",
)
@click.option("--latency-ms", type=float, help="Wait before each answer.")
@click.option("--error-rate", type=click.FloatRange(0, 1), help="Share of requests answered with 500.")
@click.option("--rate-limit", type=int, help="Requests a second; more are answered with 429.")
@click.option("--outage", is_flag=True, help="Answer 503 to everything.")
@click.option("--unauthorized", is_flag=True, help="Answer 401 to everything.")
def sandbox(
    host: str, port: int, store_id: str, api_secret: str, api_secret_file: TextIO | None, **switches: Any
) -> None:
    """A local Redo that enforces the published contract. Its switches can be changed while it runs."""
    from connector.sandbox.server import run as serve

    if api_secret_file is not None:
        api_secret = _secret_in(api_secret_file)

    def ready(base_url: str) -> None:
        click.echo(f"A local Redo for store {store_id}: set redo.base_url = {base_url}")
        click.echo(f"Orders it holds: {base_url}/_sandbox/orders   switches: {base_url}/_sandbox/switches")

    try:
        serve(host, port, store_id, api_secret, ready, **{name: value for name, value in switches.items() if value})
    except BrokenPipeError:  # of what it prints
        raise
    except OSError as error:
        raise ConfigurationError(
            [Problem(f"can't listen there: {error.strerror}", "choose another --port or --host")]
        ) from None


def _secret_in(file: TextIO) -> str:
    """Raises ConfigurationError for what can't be a token."""
    with contextlib.suppress(ValueError):  # not UTF-8
        found = file.read(_LONGEST_SECRET + 1).strip()
        if found and len(found) <= _LONGEST_SECRET and found.isascii() and found.isprintable():
            return found
    raise ConfigurationError([Problem("holds no token", "write the token into it, and nothing else", file.name)])


@click.command()
@click.option("--seconds", default=30.0, show_default=True, help="How long people work.")
@click.option("--forever", is_flag=True, help="Until Ctrl-C.")
@click.option("--orders", default=2000, show_default=True, help="Orders there are at the start.")
@click.option("--rate", default=40.0, show_default=True, help="Transactions a second.")
@click.option("--seed", default=1, show_default=True, help="Of the traffic.")
def demo(seconds: float, orders: int, rate: float, seed: int, *, forever: bool) -> None:
    """The whole connector: embedded Postgres, a local Redo."""
    from rich.console import Console

    from connector.demo.run import run as play

    console = Console(highlight=False)
    length = None if forever else seconds
    sys.exit(run_async(play(console, seconds=length, orders=orders, rate=rate, seed=seed)))
