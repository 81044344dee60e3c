"""A command whose caller closed its standard streams."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.fixtures.cli import Cli
from tests.support.narrowing import narrowed

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", narrowed(CLOSED, ">&-", CLOSED[-1]))
def test_closed_standard_streams_change_no_exit_code(offline: Cli, closed: str) -> None:
    """In a real process: what a fork inherits is open."""
    offline("check")  # writes the settings
    for arguments, code in (("check", 1), ("approve --list", 2), ("grants --nonsense", 2), ("--version", 0)):
        command = f"exec {sys.executable} -m connector {arguments} {closed}"
        ran = subprocess.run(
            ["sh", "-c", command], cwd=offline.folder, env=offline._environment(), capture_output=True, check=False
        )
        assert ran.returncode == code, (arguments, ran.stderr)


def test_output_that_finds_no_room_is_a_problem_without_a_traceback(offline: Cli) -> None:
    offline("check")
    command = f"exec {sys.executable} -m connector check > /dev/full"
    ran = subprocess.run(
        ["sh", "-c", command], cwd=offline.folder, env=offline._environment(), capture_output=True, check=False
    )
    assert (ran.returncode, ran.stderr.decode().splitlines()) == (
        1,
        [
            "problem: the output can't be written: No space left on device",
            "    free space, or print elsewhere",
        ],
    )


def test_a_pipe_that_ends_early_is_no_wrong_address_of_the_sandbox(offline: Cli) -> None:
    command = f"{sys.executable} -m connector sandbox --port 0 | true"
    ran = subprocess.run(
        ["sh", "-c", command], cwd=offline.folder, env=offline._environment(), capture_output=True, check=False
    )
    assert ran.stderr == b""
