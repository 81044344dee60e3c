"""Where a page's reader sits: a PATH with the programs, a Postgres, and the ports that the pages name."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.postgres.cluster import Cluster

PORTS: Final = (9464, 9465)
"""Those of `run` and `sandbox`, which the pages name as a reader sees them."""
_PATIENCE: Final = 90.0


def environment(cluster: Cluster, *more: Path) -> dict[str, str]:
    """A reader's, who gets to this server without saying where it is. Skips where psql or curl is missing."""
    folders = [*more, Path(sys.executable).parent, cluster.installation.bindir]
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    for program in ("psql", "createdb", "curl"):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"{program}, which the page's commands use, isn't on this machine")
    return {
        "PATH": path,
        "HOME": tempfile.gettempdir(),
        "LC_ALL": "C.UTF-8",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(cluster.port),
        "PGUSER": "postgres",
    }


@contextmanager
def the_documented_ports() -> Iterator[None]:
    """Wait until nobody else on this machine walks through a page, nor listens at these ports."""
    with (Path(tempfile.gettempdir()) / "redo-connector-documented-ports.lock").open("w") as lock:
        deadline = time.monotonic() + _PATIENCE
        while not _mine(lock.fileno()):
            assert time.monotonic() < deadline, (
                f"somebody else listens at one of the ports {PORTS}, which the docs name"
            )
            time.sleep(0.2)
        yield


def _mine(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return all(map(_free, PORTS))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
