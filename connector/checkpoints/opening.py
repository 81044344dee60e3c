"""From the setting `checkpoints.url` to a store."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connector.checkpoints.memory import MemoryCheckpoints
from connector.checkpoints.readonly import ReadOnlyCheckpoints
from connector.checkpoints.sqlite import SqliteCheckpoints
from connector.checkpoints.vault import Vault
from connector.errors import ConfigurationError, Problem
from connector.pipeline.memory import Memory

_SQLITE: Final = "sqlite:///"
_MEMORY: Final = "memory:"
_EXAMPLE: Final = (
    "write sqlite:///connector.db (in the working folder) or sqlite:////var/lib/redo-connector/connector.db"
)


def open_checkpoints(url: str, vault: Vault | None = None) -> Memory:
    """Open the store for the one process that writes it, making the file when there is none.

    `sqlite:///relative.db`, `sqlite:////absolute/path.db`, or `memory:` (nothing outlives the process).
    Payloads are kept only with a vault, sealed.
    Raises ConfigurationError (a bad URL, a file that is not ours, newer, or in use) and CheckpointsUnwritable.
    """
    return MemoryCheckpoints(vault) if url == _MEMORY else SqliteCheckpoints(path_of(url), vault)


def open_readonly(url: str, vault: Vault | None = None) -> ReadOnlyCheckpoints:
    """Look into the store of a connector that may be running. Raises ConfigurationError and CheckpointsUnwritable."""
    if url == _MEMORY:
        raise _refused("a store in memory can only be seen by its own process", _EXAMPLE)
    return ReadOnlyCheckpoints(path_of(url), vault)


def path_of(url: str) -> Path:
    """The file a `sqlite:///` URL names. Raises ConfigurationError for any other URL."""
    if url.startswith(("postgresql:", "postgres:")):
        raise _refused("a Postgres checkpoint store is not available in this version", "use sqlite:///connector.db")
    name = url.removeprefix(_SQLITE)
    if name == url or not name or name.endswith("/") or ":memory:" in name or "?" in name:
        raise _refused("this is not the URL of a checkpoint store", _EXAMPLE)
    return Path(name)


def _refused(what: str, hint: str) -> ConfigurationError:
    # The URL itself is never repeated: it may hold a password.
    return ConfigurationError([Problem(what, hint, "checkpoints.url")])
