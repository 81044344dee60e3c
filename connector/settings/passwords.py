"""Recognises a DSN that holds a password, before anything prints it. The text itself is never returned."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from connector.model.errors import Problem

_PASSWORD: Final = re.compile(r"postgres(ql)?://[^/@:]*:[^@/]+@|(^|[?&\s=])password\s*=\s*[^\s&]", re.IGNORECASE)


def holds_password(text: str) -> bool:
    """Whether it is a DSN with a password: a URI, or conninfo."""
    return _PASSWORD.search(text) is not None


def on_command_line(arguments: Iterable[str]) -> Problem | None:
    """No option takes a secret; one was given all the same."""
    if not any(holds_password(each) for each in arguments):
        return None
    return Problem(
        "it holds a password, which every user of this machine can read there, and which your shell may remember",
        "change that password; secrets come from the environment or from files: CONNECTOR_SOURCE__DSN_FILE names one",
        "command line",
    )
