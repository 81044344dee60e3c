"""Problems, on standard error: what is wrong, and below it what to do next."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

import click

from connector.cli.report.console import width
from connector.model.errors import Problem


def show_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        name, colour = ("warning", "yellow") if problem.warning else ("problem", "red")
        where = f" {problem.where}:" if problem.where else ""
        first, *rest = _wrapped(f"{name}:{where} {problem.what}")
        click.echo(click.style(name, fg=colour) + first[len(name) :], err=True)
        # The hint may be SQL to copy, so it is never broken.
        for line in [*rest, *(f"    {line.strip()}" for line in problem.hint.splitlines())]:
            click.echo(line, err=True)


def problem_dict(problem: Problem) -> dict[str, object]:
    return {"where": problem.where, "what": problem.what, "hint": problem.hint, "warning": problem.warning}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, width(sys.stderr), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    ) or [""]
