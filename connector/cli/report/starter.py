"""What `init` prints: what it wrote, and what is left to do, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from connector.inspect.starter.mapping import ProposedMapping


def left_to_do(folder: Path, proposed: ProposedMapping, *, known_store: bool) -> None:
    """On standard output; what `check` finds follows on standard error."""
    mapping, settings = folder / "mapping.sql", folder / "connector.toml"
    asked, filled = len(proposed.questions), proposed.filled
    left = "1 is" if asked == 1 else f"{asked} are"
    click.echo(f"Orders are rows of {proposed.order.name}. {filled} fields are filled in, {left} left to you.")
    click.echo(f"Wrote {mapping}, {settings} and {folder / 'secrets'}. Left to do, in order:")
    for number, step in enumerate(_steps(mapping, settings, proposed, known_store), 1):
        click.echo(f"{number:>3}. {step}")


def _steps(mapping: Path, settings: Path, proposed: ProposedMapping, known_store: bool) -> Iterator[str]:
    for question in proposed.questions:
        yield f"{mapping}:{question.line}: {question.path}: {question.text}"
    if proposed.checks:
        lines = ", ".join(str(line) for line in proposed.checks)
        yield f"{mapping}: look at what is marked `check` (line{'s' if len(proposed.checks) > 1 else ''} {lines})"
    if proposed.zoneless:
        yield f"{settings}: source.timezone: {proposed.zoneless} says no zone"
    if not known_store:
        yield f"{settings}: redo.store_id"
    yield f"{settings.parent / 'secrets' / 'api_secret'}: write Redo's API secret into it"
    yield "`redo-connector grants` prints the SQL with which a DBA lets the connector in"
    yield "`redo-connector check`, then `redo-connector preview`, until both are content"
    yield "`redo-connector run`"
