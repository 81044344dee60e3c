"""Options that several verbs take, and the settings that are read by them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from connector.model.orders import named_key
from connector.model.texts import is_storable

if TYPE_CHECKING:
    from connector.settings.config import Settings

NO_SECRET: Final = ("redo.api_secret",)
NO_REDO: Final = (*NO_SECRET, "redo.store_id", "checkpoints.payload_keys")
STORE_ONLY: Final = (*NO_REDO, "source.dsn")
"""What a verb does without that pushes nothing; that doesn't ask Redo, either; that only looks into the store."""

MOST = 1_000_000_000
"""Of any number of orders that a command is asked for: the stores keep integers of 64 bits."""
COUNT = click.IntRange(1, MOST)


class _Key(click.ParamType[str]):
    """An order's key, or the name of a group of dead letters. Anything else is refused as wrong usage, unquoted."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return named_key(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Name(click.ParamType[str]):
    """A name in a database."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_storable(value):
            self.fail("holds bytes that are no text in UTF-8", param, ctx)
        return str(value)


KEY = _Key()
NAME = _Name()

config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Settings file; default: $CONNECTOR_CONFIG, else ./connector.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
yes_option = click.option("--yes", is_flag=True, help="Don't ask.")
no_wait_option = click.option("--no-wait", is_flag=True, help="Don't wait until the connector has done it.")


def settings_of(path: str | None, unused: Sequence[str] = ()) -> Settings:
    """Read before the rooms are imported, which takes longer: wrong settings are reported at once. `unused`: what the
    verb does without."""
    from connector.settings import config

    return config.load(path, unused)


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
