"""What `check` prints: a line for each thing looked at, by topic, with what to do about it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import click

from connector.cli.report.console import counted, width
from connector.cli.report.problems import problem_dict
from connector.model.checklist import Checklist, Findings

_COLOURS: Final = {"ok": "green", "warning": "yellow", "problem": "red", "not looked at": "bright_black"}
_LABELS: Final = {"not looked at": "-"}
_INDENT: Final = " " * 11
_WIDEST: Final = 100
"""Columns: longer lines are hard to read."""


class _Line(NamedTuple):
    state: str
    what: str
    where: str = ""
    hint: str = ""


def _lines(found: Findings) -> Iterator[_Line]:
    yield from (_Line("ok", text) for text in found.fine)
    for it in found.problems:
        yield _Line("warning" if it.warning else "problem", it.what, it.where, it.hint)
    yield from (_Line("not looked at", text) for text in found.unseen)


def checklist_dict(found: Checklist) -> dict[str, Any]:
    groups = [{"group": str(topic), "lines": [each._asdict() for each in _lines(of)]} for topic, of in found]
    problems = [problem_dict(problem) for problem in found.problems]
    return {"ok": not found.serious, "problems": problems, "groups": groups}


def show_checklist(found: Checklist) -> None:
    for topic, of in found:
        click.secho(topic, bold=True)
        for line in _lines(of):
            _show(line)
    problems = sum(1 for it in found.problems if not it.warning)
    warnings = len(found.problems) - problems
    told = f" {counted(warnings, 'warning')}." if warnings else ""
    if problems:
        click.secho(f"Not ready: {counted(problems, 'problem')}.{told}", fg="red")
    else:
        click.secho(f"Ready: `redo-connector run` can start.{told}", fg="green")


def _show(line: _Line) -> None:
    label = _LABELS.get(line.state, line.state)
    prefix = "not looked at: " if line.state == "not looked at" else f"{line.where}: " if line.where else ""
    first, *rest = _wrapped(prefix + line.what, _INDENT)
    click.echo(f"  {click.style(f'{label:<8}', fg=_COLOURS[line.state])} {first}")
    for each in rest:
        click.echo(_INDENT + each)
    for written in line.hint.splitlines():
        # What may be SQL to copy is never broken.
        whole = written.rstrip().endswith(";")
        for each in [written.strip()] if whole else _wrapped(written, _INDENT + "  "):
            click.echo(f"{_INDENT}  {each}")


def _wrapped(text: str, indent: str) -> list[str]:
    columns = max(width(sys.stdout, _WIDEST) - len(indent), 20)
    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False) or [""]
