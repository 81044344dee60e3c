"""A command whose caller closed its standard streams."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.fixtures.cli import Cli

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_standard_streams_change_no_exit_code(offline: Cli, closed: str) -> None:
    """In a real process: what a fork inherits is open."""
    offline("check")  # writes the settings
    for arguments, code in (("check", 1), ("approve --list", 2), ("grants --nonsense", 2), ("--version", 0)):
        command = f"exec {sys.executable} -m connector {arguments} {closed}"
        ran = subprocess.run(
            ["sh", "-c", command], cwd=offline.folder, env=offline._environment(), capture_output=True, check=False
        )
        assert ran.returncode == code, (arguments, ran.stderr)
