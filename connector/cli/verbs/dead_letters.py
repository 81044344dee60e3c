"""dead-letters: what was refused for good, and trying it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from connector.cli.exit_codes import run_async
from connector.cli.verbs.ask import ask
from connector.cli.verbs.options import (
    COUNT,
    KEY,
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

_LIST = "`redo-connector dead-letters list` names those there are"
_MOST = 100_000
"""Orders of one group that `show` prints."""
_NAMED = 20
"""Keys of a request that are printed."""

_group_option = click.option(
    "--group", type=KEY, metavar="GROUP", help="Those of one cause, by the name that `list` prints."
)
_by_key_option = click.option("--by-key", is_flag=True, help="Take KEY for a key in the OMS, never for an id at Redo.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Orders refused for good, or failing again and again. Works beside a running connector and without one."""


@dead_letters.command("list")
@config_option
@json_option
@click.option("--limit", type=COUNT, default=100, show_default=True, help="How many causes; orders with --each.")
@_group_option
@click.option("--each", is_flag=True, help="Order by order, in key order, instead of by cause.")
def list_dead_letters(config_path: str | None, limit: int, group: str | None, *, each: bool, as_json: bool) -> None:
    """What orders were refused for, and how many; with --each, every order."""
    settings = settings_of(config_path)
    from connector.cli.report.console import print_json
    from connector.cli.report.dead_letters import dead_letter_groups, dead_letter_lines

    found = _letters(settings, limit, group)
    if as_json:
        print_json(found)
    elif each:
        dead_letter_lines(found, stores=bool(settings.redo.stores))
    else:
        dead_letter_groups(found, limit, stores=bool(settings.redo.stores))


def _letters(settings: Settings, limit: int, group: str | None) -> dict[str, Any]:
    """Ends the command where there is no such group."""
    from connector.cli.report.problems import show_problems
    from connector.inspect import dead_letters

    found = run_async(dead_letters.dead_letters(settings, limit, group))
    if group is not None and not found["groups"]:
        show_problems([Problem("there is no group of dead letters of this name", _LIST, group)])
        sys.exit(1)
    return found


def _letters_of(settings: Settings, names: Sequence[str], limit: int, *, keys_only: bool = False) -> dict[str, Any]:
    from connector.inspect import dead_letters

    return run_async(dead_letters.dead_letters_of(settings, names, limit, keys_only=keys_only))


def _one_each(settings: Settings, names: Sequence[str], *, keys_only: bool) -> dict[str, Any]:
    """The letters of orders that are about to be changed. Ends the command where a name means several."""
    found = _letters_of(settings, names, 0, keys_only=keys_only)
    several = {name: keys for name, keys in found["named"].items() if len(keys) > 1}
    if several:
        from connector.cli.report.problems import show_problems
        from connector.inspect.order_names import ambiguous

        ids = {letter["key"]: letter["order_id"] for letter in found["dead_letters"]}
        hint = "nothing was done; name the order by its key, with --by-key if that is what you wrote"
        show_problems([ambiguous(name, keys, ids, hint) for name, keys in several.items()])
        sys.exit(1)
    return found


@dead_letters.command("show")
@click.argument("names", type=KEY, nargs=-1, required=True, metavar="KEY...")
@config_option
@json_option
def show_dead_letters(names: tuple[str, ...], config_path: str | None, *, as_json: bool) -> None:
    """What is wrong with these orders.

    KEY is the order's primary key in the OMS, its id at Redo, or the name of a group, as `list` prints them.
    """
    settings = settings_of(config_path)
    from connector.cli.report.console import print_json
    from connector.cli.report.dead_letters import dead_letter_lines

    found = _letters_of(settings, names, _MOST)
    if as_json:
        print_json(found)
    elif found["dead_letters"]:
        dead_letter_lines(found, stores=bool(settings.redo.stores))
    sys.exit(_unknown(found["unknown"]))


@dead_letters.command("redrive")
@click.argument("keys", type=KEY, nargs=-1, metavar="[KEY]...")
@config_option
@json_option
@_by_key_option
@_group_option
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--dry-run", is_flag=True, help="Only say which orders it would be.")
@no_wait_option
@yes_option
def redrive(
    keys: tuple[str, ...], config_path: str | None, group: str | None, *, everything: bool, by_key: bool, **flags: bool
) -> None:
    """Have orders pushed again as they are now: after Redo, or whatever refused them, was mended.

    KEY is the order's primary key in the OMS, or its id at Redo.

    A --group and --all ask first on a terminal; elsewhere they only show, unless --yes. Without a running connector
    the request is carried out at the next start.
    """
    if bool(keys) + (group is not None) + everything != 1:
        raise click.UsageError("name orders, or a --group, or say --all")
    settings = settings_of(config_path)
    arguments: dict[str, Any]
    if keys:
        found = _one_each(settings, keys, keys_only=by_key)
        wanted = [letter["key"] for letter in found["dead_letters"]]
        arguments, orders, names = {"keys": wanted}, len(wanted), wanted[:_NAMED]
        unknown = [key for key in keys if key not in found["named"]]
    else:
        found = _letters(settings, _NAMED, group)
        arguments, orders, unknown = {"all": True} if everything else {"group": group}, found["total"], []
        names = [letter["key"] for letter in found["dead_letters"]]
    ids = {letter["key"]: letter["order_id"] for letter in found["dead_letters"] if letter["order_id"]}
    plan = {
        "orders": orders,
        "keys": names,
        "order_ids": {key: ids[key] for key in names if key in ids},
        "unknown": unknown,
        "dry_run": flags["dry_run"],
    }
    if orders and not keys and not flags["dry_run"]:
        show = partial(_show_redrive, plan, None, **flags)
        confirm(f"Push {orders:,} order{'' if orders == 1 else 's'} again?", yes=flags["yes"], show=show)
    asked = None
    if orders and not flags["dry_run"]:
        asked = ask(settings, "redrive", arguments, wait=not flags["no_wait"])
    _show_redrive(plan, asked, **flags)
    failed = asked is not None and asked["state"] == "failed"
    sys.exit(max(int(failed), _unknown(unknown)))


def _show_redrive(plan: dict[str, Any], asked: dict[str, Any] | None, **flags: bool) -> None:
    """What is, or would be, pushed again; `asked` is what became of the request."""
    from connector.cli.report.console import console, counted, print_json, some
    from connector.cli.report.requests import outcome

    orders = f"{counted(plan['orders'])} ({some(plan['keys'], plan['orders'], plan['order_ids'])})"
    if flags["as_json"]:
        print_json({**plan, "request": asked})
    elif asked is not None:
        console().print(f"To be pushed again: {orders}.")
        outcome(asked, waits=not flags["no_wait"])
    else:
        console().print(f"Would be pushed again: {orders}." if plan["orders"] else "No dead letters.")


@dead_letters.command("set-aside")
@click.argument("keys", type=KEY, nargs=-1, metavar="[KEY]...")
@config_option
@json_option
@_by_key_option
@_group_option
@no_wait_option
@yes_option
def set_aside(
    keys: tuple[str, ...],
    config_path: str | None,
    group: str | None,
    *,
    by_key: bool,
    as_json: bool,
    no_wait: bool,
    yes: bool,
) -> None:
    """Give up on orders that fail again and again (`failing`), until they change or are redriven.

    KEY is the order's primary key in the OMS, or its id at Redo.

    A --group asks first on a terminal; elsewhere it only shows, unless --yes. A running connector does it once nothing
    of them can land at Redo any more, after a minute at most; without one it is carried out at the next start.
    """
    if bool(keys) == (group is not None):
        raise click.UsageError("name orders, or a --group")
    settings = settings_of(config_path)
    from connector.cli.report.console import FAILING, counted, print_json, some
    from connector.cli.report.requests import outcome

    found = _one_each(settings, keys, keys_only=by_key) if keys else _letters_of(settings, (str(group),), _MOST)
    wanted = [letter["key"] for letter in found["dead_letters"] if letter["reason"] == FAILING]
    others = [letter["key"] for letter in found["dead_letters"] if letter["key"] not in wanted]
    ids = {letter["key"]: letter["order_id"] for letter in found["dead_letters"] if letter["order_id"]}
    plan = {
        "orders": len(wanted),
        "keys": wanted[:_NAMED],
        "order_ids": {key: ids[key] for key in wanted[:_NAMED] if key in ids},
    }
    if wanted and group is not None:
        question = f"Give up on {counted(len(wanted))} ({some(wanted[:_NAMED], len(wanted), ids)})?"
        show = partial(print_json, {**plan, "request": None}) if as_json else partial(click.echo, question)
        confirm(question, yes=yes, show=show)
    asked = ask(settings, "set-aside", {"keys": wanted}, wait=not no_wait) if wanted else None
    if as_json:
        print_json({**plan, "request": asked})
    elif asked is not None:
        outcome(asked, waits=not no_wait)
    failed = asked is not None and asked["state"] == "failed"
    unknown = [key for key in keys if key not in found["named"]] if keys else found["unknown"]
    sys.exit(max(int(failed), _unknown(unknown), _not_failing(others)))


def _not_failing(names: list[str]) -> int:
    """Name those that are dead letters already; the exit code."""
    hint = "it is tried no more anyway, until it changes or is redriven"
    return _show_each(names[:_NAMED], "this order isn't one that fails again and again", hint)


def _unknown(names: list[str]) -> int:
    """Name those without a dead letter; the exit code."""
    return _show_each(names, "there is no dead letter for this order", _LIST)


def _show_each(names: list[str], problem: str, hint: str) -> int:
    from connector.cli.report.problems import show_problems

    show_problems([Problem(problem, hint, name) for name in names])
    return int(bool(names))
