"""The command: its verbs, and what all of them share.

Exit codes: 0 fine, 1 found problems, 2 wrong usage or configuration, 3 stalled. No business rules here.
"""

from __future__ import annotations

import click

from connector import __version__
from connector.cli.exit_codes import Group
from connector.cli.verbs import approve, control, dead_letters, inspection, run


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="redo-connector")
def main() -> None:
    """Keeps Redo's copy of an OMS's orders true: tails Postgres, pushes complete orders that changed."""


for verb in (
    run.run,
    inspection.check,
    inspection.explain,
    inspection.preview,
    inspection.status,
    inspection.explain_order,
    control.backfill,
    control.reconcile,
    dead_letters.dead_letters,
    approve.approve,
    control.pause,
    control.resume,
    control.step_down,
    inspection.grants,
    run.teardown,
    run.sandbox,
    run.demo,
):
    main.add_command(verb)
