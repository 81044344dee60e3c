"""Requests to the connector, as the verbs leave and follow them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connector.cli.exit_codes import run_async

if TYPE_CHECKING:
    from connector.settings.config import Settings


def ask(settings: Settings, verb: str, arguments: Mapping[str, Any], *, wait: bool) -> dict[str, Any]:
    """Leave a request. With `wait` and a running connector it is followed to its end."""
    from connector.cli.progress_bar import following
    from connector.daemon import request_client

    with following(verb) as on_progress:
        work = request_client.ask(settings, verb, arguments, wait=wait, on_progress=on_progress)
        return run_async(work).as_json()


def carry_out(settings: Settings, verb: str, arguments: Mapping[str, Any], *, wait: bool) -> dict[str, Any]:
    """The same, to the end: with no connector running, one in this process carries it out."""
    from connector.logs import setup

    # Beside a bar, only what a person must know.
    quiet = sys.stderr.isatty() and settings.log.level in ("debug", "info")
    setup.configure(settings.log.format, "warning" if quiet else settings.log.level)
    if not wait:
        return ask(settings, verb, arguments, wait=False)
    from connector.cli.progress_bar import following
    from connector.daemon import request_client

    with following(verb) as on_progress:
        work = request_client.carry_out(settings, verb, arguments, on_progress=on_progress)
        return run_async(work).as_json()
