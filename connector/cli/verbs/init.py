"""init: from the live schema to a starter of mapping and settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from connector.cli.exit_codes import run_async
from connector.cli.verbs.options import NAME, NO_REDO, settings_of
from connector.model.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from connector.inspect.starter.look import Look
    from connector.inspect.starter.mapping import ProposedMapping
    from connector.inspect.starter.schema.facts import TableFacts
    from connector.inspect.starter.tables import Link

_CURRENCY: Final = "USD"
_CODE: Final = 3
_CHOICES: Final = 5


class _Currency(click.ParamType[str]):
    """ISO 4217."""

    name = "code"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        code = str(value).strip().upper()
        if len(code) != _CODE or not code.isascii() or not code.isalpha():
            self.fail("write the three letters of a currency, such as USD", param, ctx)
        return code


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the options say; `asks`: a person at a terminal may say the rest."""

    dsn: str | None
    order_table: str | None
    currency: str | None
    asks: bool


@click.command()
@click.option("--dsn", type=NAME, help="The OMS's database, without a password; default: what the environment says.")
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where the files go; default: here.",
)
@click.option("--schema", "schemas", type=NAME, multiple=True, help="Look only there; may be given several times.")
@click.option("--order-table", type=NAME, help="The table that holds orders, where init can't tell.")
@click.option("--currency", type=_Currency(), help="Of all orders, where no column says it: USD, say.")
@click.option("--store-id", type=NAME, help="The store at Redo.")
@click.option("--sample", is_flag=True, help="Read which words the status of orders has. Else no row is read.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def init(output_dir: Path, schemas: tuple[str, ...], store_id: str | None, **given: Any) -> None:
    """Write a first mapping and settings from the live tables.

    Reads the catalog, recognises which table holds orders and what belongs to them, and leaves a TODO where it isn't
    certain. Overwrites nothing, and changes nothing in the database.
    """
    _refuse_to_overwrite(output_dir)
    asks = sys.stdin.isatty() and not given["yes"]
    wishes = _Wishes(given["dsn"], given["order_table"], given["currency"], asks)
    dsn = _dsn(wishes)
    from connector.inspect.starter.look import look, sampled
    from connector.inspect.starter.mapping import propose
    from connector.inspect.starter.settings_file import settings_text
    from connector.postgres.dsn import without_password

    found = run_async(look(dsn, schemas))
    order = _order_table(found, wishes)
    if given["sample"]:
        order = run_async(sampled(dsn, order))
    sent_to = _address(found, order, wishes)
    proposed = propose(found.around, order, currency=wishes.currency, sent_to=sent_to)
    if proposed.lacks_currency and wishes.asks:
        currency = click.prompt("Which currency are orders in?", default=_CURRENCY, type=_Currency(), err=True)
        proposed = propose(found.around, order, currency=currency, sent_to=sent_to)
    _write(
        output_dir,
        {
            "mapping.sql": proposed.text,
            "connector.toml": settings_text(without_password(dsn), store_id, proposed.zoneless),
        },
    )
    _show_left(output_dir, proposed, store_id)


def _refuse_to_overwrite(folder: Path) -> None:
    there = [folder / name for name in ("mapping.sql", "connector.toml") if (folder / name).exists()]
    hint = "name another folder with --output-dir, or move it away"
    if there:
        raise ConfigurationError(
            [Problem("is there already, and nothing is overwritten", hint, str(it)) for it in there]
        )


def _dsn(wishes: _Wishes) -> str:
    """Where the database is: the option, the settings' variables, libpq's, or whoever sits there."""
    from connector.postgres.dsn import of_libpq
    from connector.settings.config import dsn_of_environment, environment

    given = wishes.dsn or dsn_of_environment() or of_libpq(environment())
    if given is None and wishes.asks:
        given = click.prompt("Which database? Such as postgresql://user@host:5432/shop, without a password", err=True)
    if given is None:
        hint = "name it with --dsn, or give it by CONNECTOR_SOURCE__DSN, CONNECTOR_SOURCE__DSN_FILE or PGDATABASE"
        raise ConfigurationError([Problem("which database isn't said", hint, "source.dsn")])
    return str(given)


def _order_table(found: Look, wishes: _Wishes) -> TableFacts:
    from connector.inspect.starter.tables import certain

    if wishes.order_table is not None:
        return found.table(wishes.order_table)
    best = certain(found.ranked)
    if not wishes.asks:
        if best is None:
            raise ConfigurationError([Problem("which table holds orders isn't clear", found.advice(), "--order-table")])
        return best
    likely = found.ranked[:_CHOICES]
    head = "Tables that may hold orders, the likeliest first:" if likely else "No table is recognised as one of orders."
    click.echo(head, err=True)
    for number, candidate in enumerate(likely, 1):
        click.echo(f"  {number}  {candidate.table.name}: {', '.join(candidate.reasons)}", err=True)
    first = None if best is None else str(best.name)

    def chosen(answer: str) -> TableFacts:
        """By number or name; asked again where it is none."""
        number = int(answer) if answer.isdecimal() else 0
        if 0 < number <= len(likely):
            return likely[number - 1].table
        try:
            return found.table(answer)
        except ConfigurationError as error:
            raise click.UsageError("; ".join(f"{it.what}; {it.hint}" for it in error.problems)) from None

    return click.prompt("Which one, by number or name?", default=first, value_proc=chosen, err=True)


def _address(found: Look, order: TableFacts, wishes: _Wishes) -> Link | None:
    """Which of several addresses an order was sent to, where their names don't say it."""
    from connector.inspect.starter.tables import SHIP

    links = found.around.addresses(order)
    if not wishes.asks or found.around.address(order, SHIP) is not None or not links:
        return None
    names = [", ".join(link.key.columns) for link in links]
    click.echo(f"{order.name} names several addresses: {'; '.join(names)}", err=True)
    chosen = click.prompt("Which one is it sent to?", type=click.Choice(names), default=names[0], err=True)
    return links[names.index(chosen)]


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """All or nothing, but for the folder. Raises ConfigurationError. A file that came to be meanwhile isn't overwritten
    either."""
    from connector.inspect.starter.settings_file import SECRET_FILE

    secret, made = folder / SECRET_FILE, list[Path]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        secret.parent.mkdir(mode=0o700, exist_ok=True)
        ignored = secret.parent / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")
        secret.touch(mode=0o600)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                made.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink()
        hint = "name a folder that you may write, and that has room, with --output-dir"
        raise ConfigurationError([Problem(f"can't be written: {error.strerror}", hint, str(folder))]) from None


def _show_left(folder: Path, proposed: ProposedMapping, store_id: str | None) -> None:
    """What is left to do, in order, and what `check` finds already without reading an order: a mapping with open
    questions makes none that Redo would take."""
    from connector.cli.report.problems import show_problems
    from connector.cli.report.starter import left_to_do
    from connector.inspect.checks.check import check_tables

    settings = str(folder / "connector.toml")
    try:
        problems = run_async(check_tables(settings_of(settings, NO_REDO))).problems
    except ConfigurationError as error:
        problems = [*error.problems]
    left_to_do(folder, proposed, known_store=store_id is not None)
    show_problems(problems)
