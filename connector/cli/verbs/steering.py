"""The verbs that ask the connector for something: approve, reconcile, backfill, pause, resume."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from connector.cli.exit_codes import run_async
from connector.cli.verbs.options import (
    config_option,
    confirm,
    json_option,
    no_wait_option,
    settings_of,
    yes_option,
)
from connector.model.errors import Problem

if TYPE_CHECKING:
    from connector.settings.config import Settings

_CANARY = 20


@click.command()
@click.argument("number", type=click.IntRange(1), required=False)
@config_option
@json_option
@click.option("--list", "only_list", is_flag=True, help="Only show what is held.")
@click.option("--all", "everything", is_flag=True, help="All holds.")
@click.option(
    "--canary",
    type=click.IntRange(1),
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

    NUMBER names one of several holds. Asks first, on a terminal. Without a running connector the request is carried
    out at the next start.
    """
    if number is not None and everything:
        raise click.UsageError("name a hold, or say --all")
    settings = settings_of(config_path)
    from connector.cli.report import delivery
    from connector.inspect import waiting

    found = run_async(waiting.holds(settings))
    chosen = [hold for hold in found if hold["number"] == number or (number is None and waiting.is_held(hold))]
    if only_list or not chosen:
        shown = chosen if number is not None else found
        _show(shown, None, as_json=flags["as_json"])
        sys.exit(_no_hold(number) if number is not None and not chosen else 0)
    if len(chosen) > 1 and not everything:
        _show(chosen, None, as_json=flags["as_json"])
        raise click.UsageError("several holds wait: name the one to approve, or say --all")
    if not flags["as_json"]:
        delivery.holds(chosen)
    if not flags["yes"]:
        confirm(_question(chosen, canary))
    asked = _release(settings, chosen, canary, wait=not flags["no_wait"])
    _show(chosen, asked, as_json=flags["as_json"])
    sys.exit(int(any(one["state"] == "failed" for one in asked)))


def _question(chosen: list[dict[str, Any]], canary: int | None) -> str:
    orders = sum(min(hold["orders"], canary or hold["orders"]) for hold in chosen)
    return f"Let {orders:,} order{'' if orders == 1 else 's'} go to Redo?"


def _release(
    settings: Settings, chosen: list[dict[str, Any]], canary: int | None, *, wait: bool
) -> list[dict[str, Any]]:
    from connector.cli import requests
    from connector.cli.progress import following

    asked = []
    for hold in chosen:
        arguments = {"hold": hold["number"], "limit": canary}
        with following("approve") as told:
            work = requests.ask(settings, "approve", arguments, wait=wait, on_progress=told, now=time.time())
            asked.append({**run_async(work).as_json(), "followed": wait})
    return asked


def _show(found: list[dict[str, Any]], asked: list[dict[str, Any]] | None, *, as_json: bool) -> None:
    """Holds that are only looked at, or what became of the requests to release them."""
    from connector.cli.report import delivery
    from connector.cli.report.console import console

    if as_json:
        click.echo(json.dumps({"holds": found, "requests": asked or []}, indent=2))
    elif asked is not None:
        for one in asked:
            delivery.outcome(one, waits=one["followed"])
    else:
        delivery.holds(found)
        if not any(hold["state"] == "held" for hold in found):
            console().print("Nothing waits for approval.")


def _no_hold(number: int) -> int:
    from connector.cli.report.looks import show_problems

    hint = "`redo-connector approve --list` shows those there are"
    show_problems([Problem("there is no such hold", hint, f"hold {number}")])
    return 1


@click.command()
@config_option
@json_option
@click.option(
    "--verify-redo", type=click.IntRange(1), metavar="N", help="Then read N random orders back from Redo and compare."
)
@no_wait_option
def reconcile(config_path: str | None, verify_redo: int | None, *, no_wait: bool, as_json: bool) -> None:
    """Compare every order with its checkpoint, push what differs.

    With a connector running it does so; else one runs here until that is done.
    """
    if verify_redo is not None and no_wait:
        raise click.UsageError("--verify-redo needs the end of the reconcile, so not --no-wait")
    settings = settings_of(config_path)
    from connector.cli.report import delivery
    from connector.inspect import waiting

    asked = _carry_out(settings, "reconcile", {}, wait=not no_wait)
    found: dict[str, Any] = {"request": asked}
    done = asked["state"] == "done"
    if done:
        found["found"] = run_async(waiting.last_reconcile(settings))
    if not as_json:
        delivery.outcome(asked, waits=not no_wait)
    wrong = asked["state"] == "failed" or not (done or no_wait)
    if verify_redo is not None and done:
        wrong = _verify(settings, verify_redo, found, as_json=as_json)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    sys.exit(int(wrong))


def _verify(settings: Settings, size: int, found: dict[str, Any], *, as_json: bool) -> bool:
    """Add what Redo holds to `found`; whether anything is wrong there. What is, the connector pushes again."""
    from connector.cli.report import delivery
    from connector.inspect import verify_redo

    verified = run_async(verify_redo.verify(settings, size))
    found["verified"] = verified
    wrong = [*(one["key"] for one in verified["different"]), *verified["absent"]]
    if not as_json:
        delivery.verified(verified)
    if wrong:
        found["resend"] = _carry_out(settings, "resend", {"keys": wrong}, wait=True)
        if not as_json:
            delivery.outcome(found["resend"], waits=True)
    return bool(wrong or verified["unread"])


@click.command()
@config_option
@json_option
@click.option("--resend", is_flag=True, help="Push every order, also those that Redo has as they are. Asks first.")
@no_wait_option
@yes_option
def backfill(config_path: str | None, *, resend: bool, **flags: bool) -> None:
    """Look at every order, and push those that Redo hasn't.

    With a connector running it does so; else one runs here until that is done.
    """
    settings = settings_of(config_path)
    from connector.cli.report import delivery

    if resend and not flags["yes"]:
        confirm("Push every order to Redo again?")
    asked = _carry_out(settings, "backfill", {"resend": True} if resend else {}, wait=not flags["no_wait"])
    if flags["as_json"]:
        click.echo(json.dumps({"request": asked}, indent=2))
    else:
        delivery.outcome(asked, waits=not flags["no_wait"])
    sys.exit(int(asked["state"] == "failed" or not (flags["no_wait"] or asked["state"] == "done")))


@click.command()
@config_option
@json_option
@no_wait_option
def pause(config_path: str | None, *, no_wait: bool, as_json: bool) -> None:
    """Push nothing to Redo until `resume`.

    Not after a restart either. Changes are gathered meanwhile, and the slot moves. Without a running connector the
    request is carried out at the next start.
    """
    _ask(config_path, "pause", no_wait=no_wait, as_json=as_json)


@click.command()
@config_option
@json_option
@no_wait_option
def resume(config_path: str | None, *, no_wait: bool, as_json: bool) -> None:
    """End a `pause`. Without a running connector the request is carried out at the next start."""
    _ask(config_path, "resume", no_wait=no_wait, as_json=as_json)


def _ask(config_path: str | None, verb: str, *, no_wait: bool, as_json: bool) -> None:
    settings = settings_of(config_path)
    from connector.cli import requests
    from connector.cli.progress import following
    from connector.cli.report import delivery

    with following(verb) as told:
        work = requests.ask(settings, verb, {}, wait=not no_wait, on_progress=told, now=time.time())
        asked = run_async(work).as_json()
    if as_json:
        click.echo(json.dumps({"request": asked}, indent=2))
    else:
        delivery.outcome(asked, waits=not no_wait)
    sys.exit(int(asked["state"] == "failed"))


def _carry_out(settings: Settings, verb: str, arguments: Mapping[str, Any], *, wait: bool) -> dict[str, Any]:
    """Ask, and follow to the end; with no connector running, one in this process carries it out."""
    from connector.cli import requests
    from connector.cli.progress import following
    from connector.logs import setup

    # Beside a bar, only what a person must know.
    quiet = sys.stderr.isatty() and settings.log.level in ("debug", "info")
    setup.configure(settings.log.format, "warning" if quiet else settings.log.level)
    with following(verb) as told:
        if wait:
            return run_async(
                requests.carry_out(settings, verb, arguments, perform, on_progress=told, now=time.time())
            ).as_json()
        work = requests.ask(settings, verb, arguments, wait=False, on_progress=told, now=time.time())
        return run_async(work).as_json()


async def perform(settings: Settings, number: int) -> None:
    """A whole connector in this process, until the request is finished. Imported only where it is needed."""
    from connector.daemon import app

    await app.run_until_finished(settings, number)
