"""The real command as the next version would be: its checkpoint schema has one version more.

`python -m tests.support.processes.newer_child run --config FILE`
"""

from __future__ import annotations

from connector.checkpoints.postgres import migrations
from connector.cli.main import main

if __name__ == "__main__":
    newer = "CREATE TABLE next_version (one int)"
    migrations.SCHEMA += newer  # type: ignore[misc] # that is what this file is for
    migrations.UPGRADES = (*migrations.UPGRADES, newer)  # type: ignore[misc, assignment] # the same
    main()
