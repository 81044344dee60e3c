"""Options that several verbs take, and the settings that are read by them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from connector.settings.config import Settings

config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Settings file; default: $CONNECTOR_CONFIG, else ./connector.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
yes_option = click.option("--yes", is_flag=True, help="Don't ask.")
no_wait_option = click.option("--no-wait", is_flag=True, help="Don't wait until the connector has done it.")


def settings_of(path: str | None) -> Settings:
    """Read before the rooms are imported, which takes longer: wrong settings are reported at once."""
    from connector.settings import config

    return config.load(path)


def confirm(question: str, *, yes: bool, show: Callable[[], None] | None = None) -> None:
    """Ask on a terminal, where "no" ends the command with exit code 1. Elsewhere only `--yes` lets it go on.

    What a pipe brings is no answer. `show` prints what would be done, before the UsageError that says that it isn't.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        if show is not None:
            show()
        raise click.UsageError(
            "nothing was done: this asks first, and there is no terminal to ask on; repeat it with --yes"
        )
    click.confirm(question, abort=True, err=True)
