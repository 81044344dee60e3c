"""The command: its verbs, and what all of them share.

Exit codes: 0 fine, 1 found problems, 2 wrong usage or configuration, 3 stalled. No business rules here.
"""

from __future__ import annotations

from typing import Final

import click

from connector import __version__
from connector.cli.exit_codes import Group
from connector.cli.verbs import approve, control, dead_letters, init, inspection, run

_STAGES: Final = {
    "Set up": (
        init.init,
        inspection.grants,
        inspection.check,
        inspection.explain,
        inspection.preview,
        inspection.settings_schema,
        run.sandbox,
        run.demo,
    ),
    "Run": (run.run, run.teardown),
    "Look": (inspection.status, inspection.explain_order, dead_letters.dead_letters),
    "Steer": (approve.approve, control.pause, control.resume, control.step_down, control.backfill, control.reconcile),
}
"""In the order of the work."""


@click.group(cls=Group, stages=_STAGES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="redo-connector")
def main() -> None:
    """Keeps Redo's copy of an OMS's orders true: tails Postgres, pushes complete orders that changed."""
