"""The verbs that look: check, explain, preview, status, explain-order, grants, settings-schema. They change nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from connector.cli.exit_codes import run_async
from connector.cli.verbs.options import (
    COUNT,
    KEY,
    NAME,
    NO_REDO,
    NO_SECRET,
    STORE_ONLY,
    config_option,
    json_option,
    settings_of,
)
from connector.model.errors import Problem
from connector.model.orders import typed

if TYPE_CHECKING:
    from connector.settings.config import Settings

HOSTINGS = ("self-hosted", "rds", "aurora", "cloud-sql", "azure", "supabase")
"""Those of `source.hosting`, which takes too long to import for --help."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@config_option
@json_option
def check(config_path: str | None, *, as_json: bool) -> None:
    """Look at everything `run` needs, changing nothing."""
    settings = settings_of(config_path)
    from connector.cli.report.checklist import checklist_dict, show_checklist
    from connector.cli.report.console import print_json
    from connector.inspect.checks import check
    from connector.model.checklist import Topic
    from connector.settings.exposure import readable_by_all

    found = run_async(check.check(settings))
    found.of(Topic.SETTINGS).found(readable_by_all(config_path), "complete, and no secret's file can be read by others")
    print_json(checklist_dict(found)) if as_json else show_checklist(found)
    sys.exit(1 if found.serious else 0)


@click.command()
@config_option
@json_option
def explain(config_path: str | None, *, as_json: bool) -> None:
    """Show how a changed row of each table leads to orders."""
    settings = settings_of(config_path, NO_REDO)
    from connector.cli.report.console import print_json
    from connector.cli.report.inspection import explain_tree
    from connector.inspect import explain

    plan = run_async(explain.explain(settings))
    if as_json:
        print_json(plan)
    else:
        explain_tree(plan)


@click.command()
@click.argument("keys", type=KEY, nargs=-1, metavar="[KEY]...")
@config_option
@json_option
@click.option("--mapping", type=_FILE, metavar="FILE", help="Compare the configured mapping with this one.")
@click.option("--sample", type=COUNT, help="How many orders, when no KEY is given: 3; 200 with --mapping.")
@click.option("--values", is_flag=True, help="Show old and new values of what differs.")
@click.option("--all", "every", is_flag=True, help="Look at every order, and count what would become of them.")
def preview(
    keys: tuple[str, ...],
    config_path: str | None,
    mapping: Path | None,
    sample: int | None,
    *,
    values: bool,
    every: bool,
    as_json: bool,
) -> None:
    """Show what would be sent for orders. Pushes nothing.

    Says, too, whether that differs from what Redo last accepted; with --mapping, what another mapping would change.
    KEY is the order's primary key in the OMS (for a composite key, a JSON list of texts), or its id at Redo, where that
    is known.
    """
    if every and (keys or mapping or sample or values):
        raise click.UsageError("--all looks at every order: it goes with no KEY, --mapping, --sample or --values")
    settings = settings_of(config_path, NO_SECRET)
    if values and mapping is None and settings.checkpoints.keep != "payload":
        raise click.UsageError('--values needs --mapping, or payloads that are kept (checkpoints.keep = "payload")')
    from connector.cli.report import inspection
    from connector.cli.report.console import print_json
    from connector.cli.report.problems import show_problems
    from connector.inspect import endpoints
    from connector.inspect.orders import compare_mappings, preview

    if mapping is not None:
        compared = run_async(compare_mappings.compare(settings, mapping, keys, sample or 200, values=values))
        print_json(compared) if as_json else inspection.comparison(compared)
        sys.exit(1 if compared["rejected"] else 0)
    show_problems(run_async(endpoints.endpoint_problems(settings)))
    if every:
        _preview_all(settings, as_json=as_json)
    found = run_async(preview.preview(settings, keys, sample or 3, values=values))
    show_problems(found.problems)
    print_json(found.orders) if as_json else inspection.preview_orders(found.orders)
    sys.exit(1 if any(one["problems"] for one in found.orders) else 0)


def _preview_all(settings: Settings, *, as_json: bool) -> NoReturn:
    from connector.cli.progress_bar import counting
    from connector.cli.report.console import print_json
    from connector.cli.report.inspection import dry_run
    from connector.inspect.orders.preview_all import preview_all

    with counting("preview") as progress:
        found = run_async(preview_all(settings, progress))
    print_json(found) if as_json else dry_run(found)
    sys.exit(1 if found["refused"] else 0)


@click.command()
@config_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Every number, by its name in the JSON.")
@click.option("--watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
def status(config_path: str | None, *, everything: bool, watch: bool, as_json: bool) -> None:
    """Say how the running connector does, on a screenful. When none runs, what its store remembers."""
    if watch and as_json:
        raise click.UsageError("--watch is for people: ask with --json as often as you like")
    settings = settings_of(config_path, STORE_ONLY)
    from connector.cli.report.console import console, print_json
    from connector.cli.report.problems import show_problems
    from connector.cli.report.status import status_view, watch_status
    from connector.cli.report.status_numbers import numbers_view
    from connector.inspect import running_connector, status

    view = numbers_view if everything else status_view
    other = run_async(running_connector.other_store(settings))
    show_problems([other] if other else [])
    if watch:
        watch_status(lambda: run_async(status.status(settings)), view)
        return
    found = run_async(status.status(settings))
    print_json(found) if as_json else console().print(view(found))
    sys.exit(0 if found.get("ready") else 1)


@click.command("explain-order")
@click.argument("key", type=KEY, metavar="KEY")
@config_option
@json_option
def explain_order(key: str, config_path: str | None, *, as_json: bool) -> None:
    """Show what became of one order, and why.

    KEY is the order's primary key in the OMS (for a composite key, a JSON list of texts), or its id at Redo. Without a
    running connector: what the store remembers, and what the mapping says.
    """
    settings = settings_of(config_path, NO_SECRET)
    from connector.cli.report.console import print_json
    from connector.cli.report.order_story import story_lines
    from connector.cli.report.problems import show_problems
    from connector.inspect import endpoints
    from connector.inspect.orders import explain_order

    found = run_async(explain_order.story(settings, key))
    if not found["running"]:
        show_problems(run_async(endpoints.endpoint_problems(settings)))
    for other in found["also"]:
        hint = f"this is order {found['key']}; `redo-connector explain-order {typed(other)}` shows that one"
        show_problems([Problem(f"the order with key {other} goes by this name at Redo, too", hint, key, warning=True)])
    if as_json:
        print_json(found)
    elif found["known"]:
        story_lines(found)
    else:
        hint = (
            "`redo-connector preview` names some; a composite key is a JSON list of texts; an id at Redo leads to "
            "orders that were pushed, refused or held"
        )
        show_problems([Problem("neither the connector nor the mapping knows this order", hint, f"order {key}")])
    sys.exit(0 if found["known"] else 1)


@click.command()
@config_option
@click.option(
    "--role", type=NAME, default="redo_connector", show_default=True, help="The role that the connector logs in as."
)
@click.option("--for", "hosting", type=click.Choice(HOSTINGS), help="Where the database is; by default, as recognised.")
@click.option("--revoke", is_flag=True, help="Print the SQL that takes it all back.")
def grants(config_path: str | None, role: str, hosting: str | None, *, revoke: bool) -> None:
    """Print the SQL with which a DBA lets the connector in. It gives what is needed, and nothing more.

    The role of source.dsn needs no privilege for this but to connect.
    """
    settings = settings_of(config_path, NO_REDO)
    from connector.inspect import grants

    script = grants.revocation if revoke else grants.grants
    click.echo(run_async(script(settings, role, hosting)), nl=False)


@click.command("settings-schema")
def settings_schema() -> None:
    """Print the JSON schema of connector.toml, for editors."""
    from connector.cli.report.console import print_json
    from connector.settings.json_schema import json_schema

    print_json(json_schema())
