"""The verbs that steer a connector: reconcile, backfill, pause, resume, step-down."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from connector.cli.exit_codes import run_async
from connector.cli.verbs.ask import ask, carry_out
from connector.cli.verbs.options import (
    COUNT,
    NO_REDO,
    config_option,
    confirm,
    json_option,
    no_wait_option,
    settings_of,
    yes_option,
)

if TYPE_CHECKING:
    from connector.settings.config import Settings


@click.command()
@config_option
@json_option
@click.option("--verify-redo", type=COUNT, metavar="N", help="Then read N random orders back from Redo and compare.")
@no_wait_option
def reconcile(config_path: str | None, verify_redo: int | None, *, no_wait: bool, as_json: bool) -> None:
    """Compare every order, and push what differs.

    With a connector running it does so; else one runs here until that is done.
    """
    if verify_redo is not None and no_wait:
        raise click.UsageError("--verify-redo needs the end of the reconcile, so not --no-wait")
    settings = settings_of(config_path)
    from connector.cli.report.console import print_json
    from connector.cli.report.requests import outcome
    from connector.inspect.status import last_reconcile

    asked = carry_out(settings, "reconcile", {}, wait=not no_wait)
    found: dict[str, Any] = {"request": asked}
    done = asked["state"] == "done"
    if done:
        found["found"] = run_async(last_reconcile(settings))
    if not as_json:
        outcome(asked, waits=not no_wait)
    wrong = asked["state"] == "failed" or not (done or no_wait)
    if verify_redo is not None and done:
        wrong = _verify(settings, verify_redo, found, as_json=as_json)
    if as_json:
        print_json(found)
    sys.exit(int(wrong))


def _verify(settings: Settings, size: int, found: dict[str, Any], *, as_json: bool) -> bool:
    """Add what Redo holds to `found`; whether anything is wrong there. What is, the connector pushes again."""
    from connector.cli.report import requests
    from connector.inspect.orders import verify_redo

    verified = run_async(verify_redo.verify(settings, size))
    found["verified"] = verified
    wrong = [*(one["key"] for one in verified["different"]), *verified["absent"]]
    if not as_json:
        requests.verified(verified)
    if wrong:
        found["resend"] = carry_out(settings, "resend", {"keys": wrong}, wait=True)
        if not as_json:
            requests.outcome(found["resend"], waits=True)
    return bool(wrong or verified["unread"])


@click.command()
@config_option
@json_option
@click.option("--resend", is_flag=True, help="Push every order, also those that Redo has as they are.")
@no_wait_option
@yes_option
def backfill(config_path: str | None, *, resend: bool, **flags: bool) -> None:
    """Look at every order, and push those that Redo hasn't.

    With --resend it asks first on a terminal; elsewhere it does nothing, unless --yes. With a connector running it
    does so; else one runs here until that is done.
    """
    settings = settings_of(config_path)
    from connector.cli.report.requests import request

    if resend:
        confirm("Push every order to Redo again?", yes=flags["yes"])
    asked = carry_out(settings, "backfill", {"resend": True} if resend else {}, wait=not flags["no_wait"])
    request(asked, waits=not flags["no_wait"], as_json=flags["as_json"])
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
    """End a `pause`, or a wait for Redo, and try at once.

    Without a running connector the request is carried out at the next start.
    """
    _ask(config_path, "resume", no_wait=no_wait, as_json=as_json)


@click.command("step-down")
@config_option
@json_option
@no_wait_option
def step_down(config_path: str | None, *, no_wait: bool, as_json: bool) -> None:
    """Hand leadership over to a connector that stands by.

    The one that leads finishes what is in flight, and stands by from then on. Where nobody waits to take over, it goes
    on leading, and the exit code is 1.
    """
    settings = settings_of(config_path)
    from connector.daemon.request_client import refuse_without_leader

    run_async(refuse_without_leader(settings))
    _ask(config_path, "step-down", no_wait=no_wait, as_json=as_json)


def _ask(config_path: str | None, verb: str, *, no_wait: bool, as_json: bool) -> None:
    settings = settings_of(config_path, NO_REDO)
    from connector.cli.report.requests import request

    asked = ask(settings, verb, {}, wait=not no_wait)
    request(asked, waits=not no_wait, as_json=as_json)
    sys.exit(int(asked["state"] == "failed"))
