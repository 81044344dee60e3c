"""approve: what is held for approval, and letting it go."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from connector.cli.exit_codes import run_async
from connector.cli.verbs.ask import ask
from connector.cli.verbs.options import (
    COUNT,
    NO_REDO,
    STORE_ONLY,
    config_option,
    confirm,
    json_option,
    no_wait_option,
    settings_of,
    yes_option,
)
from connector.model.errors import Problem

_CANARY = 20


@click.command()
@click.argument("number", type=COUNT, required=False)
@config_option
@json_option
@click.option("--list", "only_list", is_flag=True, help="Only show what is held.")
@click.option("--all", "everything", is_flag=True, help="All holds.")
@click.option(
    "--canary",
    type=COUNT,
    is_flag=False,
    flag_value=_CANARY,
    metavar="[N]",
    help="Let N orders go first; N is 20 when left out.",
)
@no_wait_option
@yes_option
def approve(
    number: int | None,
    config_path: str | None,
    canary: int | None,
    *,
    only_list: bool,
    everything: bool,
    **flags: bool,
) -> None:
    """Show what is held for approval, and let it go.

    NUMBER names one of several holds. Asks first on a terminal; elsewhere it only shows, unless --yes. Without a
    running connector the request is carried out at the next start.
    """
    if number is not None and everything:
        raise click.UsageError("name a hold, or say --all")
    settings = settings_of(config_path, STORE_ONLY if only_list else NO_REDO)
    from connector.inspect import holds

    found = run_async(holds.holds(settings))
    chosen = [hold for hold in found if hold["number"] == number or (number is None and holds.is_held(hold))]
    if only_list or not chosen:
        _show(chosen if number is not None else found, as_json=flags["as_json"])
        sys.exit(_no_hold(number) if number is not None and not chosen else 0)
    if len(chosen) > 1 and not everything:
        _show(chosen, as_json=flags["as_json"])
        raise click.UsageError("several holds wait: name the one to approve, or say --all")
    _confirm(chosen, canary, as_json=flags["as_json"], yes=flags["yes"])
    wait = not flags["no_wait"]
    asked = [ask(settings, "approve", {"hold": hold["number"], "limit": canary}, wait=wait) for hold in chosen]
    _show_requests(chosen, asked, wait=wait, as_json=flags["as_json"])
    sys.exit(int(any(one["state"] == "failed" for one in asked)))


def _confirm(chosen: list[dict[str, Any]], canary: int | None, *, as_json: bool, yes: bool) -> None:
    from connector.cli.report.holds import holds

    if not as_json:
        holds(chosen)
    orders = sum(min(hold["orders"], canary or hold["orders"]) for hold in chosen)
    show = partial(_show, chosen, as_json=True) if as_json else None
    confirm(f"Let {orders:,} order{'' if orders == 1 else 's'} go to Redo?", yes=yes, show=show)


def _show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Holds that are only looked at."""
    from connector.cli.report.console import console, print_json
    from connector.cli.report.holds import holds

    if as_json:
        print_json({"holds": found, "requests": []})
        return
    holds(found)
    if not any(hold["state"] == "held" for hold in found):
        console().print("Nothing waits for approval.")


def _show_requests(found: list[dict[str, Any]], asked: list[dict[str, Any]], *, wait: bool, as_json: bool) -> None:
    """What became of the requests to release holds."""
    from connector.cli.report.console import print_json
    from connector.cli.report.requests import outcome

    if as_json:
        print_json({"holds": found, "requests": [{**one, "followed": wait} for one in asked]})
        return
    for one in asked:
        outcome(one, waits=wait)


def _no_hold(number: int) -> int:
    from connector.cli.report.problems import show_problems

    hint = "`redo-connector approve --list` shows those there are"
    show_problems([Problem("there is no such hold", hint, f"hold {number}")])
    return 1
