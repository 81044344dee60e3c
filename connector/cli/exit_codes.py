"""How a command ends: one clear message for what went wrong, and the exit code.

0 fine, 1 found problems, 2 wrong usage or configuration, 3 stalled (the watchdog's). Knows the errors' kinds, no verb.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import click
import uvloop

from connector.logs import colours
from connector.model.errors import (
    CheckpointsLost,
    CheckpointsUnwritable,
    ConfigurationError,
    ConnectorError,
    Problem,
    SourceUnavailable,
)
from connector.settings.passwords import on_command_line

T = TypeVar("T")

_STDOUT, _STDERR = 1, 2
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_STORE = (CheckpointsUnwritable, CheckpointsLost)
_DEFECT = "This is a defect of the connector. The lines above say where, and quote nothing of your data: report them."


class Group(click.Group):
    """Turns our errors into one clear message and an exit code. `stages`: verbs by what they are for, in the order of
    the work, as --help shows them."""

    def __init__(self, *arguments: Any, stages: Mapping[str, Sequence[click.Command]] | None = None, **named: Any):
        super().__init__(*arguments, **named)
        self._stages = stages or {}
        for verb in (verb for verbs in self._stages.values() for verb in verbs):
            self.add_command(verb)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for title, verbs in self._stages.items():
            with formatter.section(title):
                limit = formatter.width - 6 - width
                rows = [(f"{verb.name:<{width}}", verb.get_short_help_str(limit)) for verb in verbs]
                formatter.write_dl(rows)

    def main(self, *arguments: Any, **named: Any) -> Any:
        _open_standard_streams()
        return super().main(*arguments, **named)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Before anything quotes them: no option takes a secret, and one was given."""
        if not colours.wanted():
            ctx.color = False
        problem = on_command_line(args)
        if problem is not None:
            from connector.cli.report.problems import show_problems

            show_problems([problem])
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            from connector.cli.report.problems import show_problems

            show_problems(_problems(error))
            ctx.exit(_exit_code(error))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 -- the top of the process: Python's own traceback shows values
            _tell(error)
            ctx.exit(1)


def _tell(error: Exception) -> None:
    """What no verb foresaw: that what is printed found no room, or a defect."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        from connector.cli.report.problems import show_problems

        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)  # what is left of it is tried again at the end
        show_problems([Problem(f"the output can't be written: {error.strerror}", "free space, or print elsewhere")])
        return
    from connector.logs.setup import without_values

    click.echo(without_values((type(error), error, error.__traceback__)), err=True)
    click.echo(_DEFECT, err=True)


def _open_standard_streams() -> None:
    """Where a caller closed some (`<&-`), their numbers would be given to the next files opened, sockets included."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 -- for as long as we run


def _problems(error: ConnectorError) -> Sequence[Problem]:
    if isinstance(error, ConfigurationError):
        return error.problems
    if isinstance(error, SourceUnavailable):
        hint = error.hint or "see that the server runs and that source.dsn leads there; then try again"
        return [Problem(str(error), hint)]
    return [Problem(str(error), where="checkpoints.url" if isinstance(error, _STORE) else "")]


def _exit_code(error: ConnectorError) -> int:
    """2 for all that a command needs before it can begin: settings, mapping, database, store."""
    return 2 if isinstance(error, (ConfigurationError, SourceUnavailable, *_STORE)) else 1


def run_async(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def logged(work: Coroutine[Any, Any, int], *, as_json: bool) -> int:
    """Errors are logged without the values that they may quote; where logs are JSON, as JSON lines."""
    import structlog

    log = structlog.get_logger("connector")
    try:
        return run_async(work)
    except ConnectorError as error:
        if not as_json:
            raise
        for problem in _problems(error):
            log.error("refused", where=problem.where or None, problem=problem.what, next=problem.hint or None)
        return _exit_code(error)
    except Exception:  # the top of the process: Python's own traceback would show values
        log.critical("crashed", exc_info=True)
        return 1
