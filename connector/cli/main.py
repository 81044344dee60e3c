"""The command: its verbs, and what all of them share.

Exit codes: 0 fine, 1 found problems, 2 wrong usage or configuration, 3 stalled. No business rules here.
"""

from __future__ import annotations

import click

from connector import __version__
from connector.cli.exit_codes import Group
from connector.cli.verbs import letters, looking, running, steering


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="redo-connector")
def main() -> None:
    """Keeps Redo's copy of an OMS's orders true: tails Postgres, pushes complete orders that changed."""


for verb in (
    running.run,
    looking.check,
    looking.explain,
    looking.preview,
    looking.status,
    looking.explain_order,
    steering.backfill,
    steering.reconcile,
    letters.dead_letters,
    steering.approve,
    steering.pause,
    steering.resume,
    looking.grants,
    running.teardown,
    running.sandbox,
    running.demo,
):
    main.add_command(verb)
