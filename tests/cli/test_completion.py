"""Completion by the shell: what is proposed, and that the printed scripts are of the shells that they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "redo-connector"


def asked(**variables: str) -> str:
    """What the installed command prints for a shell's completion."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "COMP_"))}
    ran = subprocess.run(
        [PROGRAM], env={**kept, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    return ran.stdout


def proposed(line: str) -> list[str]:
    """For the last word of a line, as bash asks."""
    words = line.split(" ")
    found = asked(_REDO_CONNECTOR_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    return [each.partition(",")[2] for each in found.splitlines()]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("redo-connector exp", ["explain", "explain-order"]),
        ("redo-connector dead-letters re", ["redrive"]),
        ("redo-connector grants --re", ["--revoke"]),
        ("redo-connector grants --for a", ["aurora", "azure"]),
    ],
)
def test_commands_options_and_values_are_completed(line: str, words: list[str]) -> None:
    assert proposed(line) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_can_read(shell: str, tmp_path: Path) -> None:
    script = asked(_REDO_CONNECTOR_COMPLETE=f"{shell}_source")
    assert "_REDO_CONNECTOR_COMPLETE" in script
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell} here")
    file = tmp_path / "completion"
    file.write_text(script)
    subprocess.run([found, "-n", file], check=True, capture_output=True)
