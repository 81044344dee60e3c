"""Schemas that nobody here designed: each made by the shop's own migrations (see examples/). For the long run only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.demo.postgres import Cluster
from tests.fix_postgres import Database, create_database
from tests.oracle.worlds import World

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


def worlds() -> Mapping[str, World]:
    return {}


def make_template(cluster: Cluster, world: World) -> Database:
    """Blocks for about a minute: installs the shop and runs its migrations."""
    made = create_database(cluster)
    script = EXAMPLES / world.name / "make_schema.py"
    subprocess.run([sys.executable, str(script), made.dsn], check=True)
    return made
