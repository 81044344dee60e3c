"""`python -m deploy.image`: build the image's stages, then run what comes out as a container would.

That is with a read-only root and without privileges, against the rehearsal's OMS and its local Redo. Tells the size.
Docker itself is not needed, and not tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psycopg

from connector.demo.postgres.cluster import Cluster
from deploy.image.dockerfile import Image, StepFailed, build

ROOT: Final = Path(__file__).parent.parent.parent
_PACKAGES: Final = "python3,python3-venv,python-is-python3,ca-certificates"
_WITHIN: Final = 120.0
_MOUNTED: Final = """
mount --bind "$1" "$1" && mount --bind "$2" "$1/data" && mount --bind "$3" "$1/mnt" && mount -o remount,ro,bind "$1"
root=$1 user=$4; shift 4
exec chroot --userspec="$user" "$root" "$@"
"""
"""The root read-only, of it only /data writable; `mapping.sql` in /mnt."""


class Container:
    """`docker run --read-only` of an image, as far as files, user and environment go. The network is the machine's."""

    def __init__(self, image: Image, data: Path, env: Mapping[str, str]) -> None:
        self._image, self._data = image, data
        self._env = {**image.env, **env}

    def start(self, *command: str) -> subprocess.Popen[str]:
        image = self._image
        mounted = ["unshare", "--mount", "sh", "-ec", _MOUNTED, "sh"]
        places = [str(image.root), str(self._data), str(self._data.parent / "mnt"), image.user]
        return subprocess.Popen(
            [*mounted, *places, *command], env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def code(self, *command: str) -> int:
        process = self.start(*command)
        process.communicate()
        return process.returncode


def main() -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise StepFailed("needs root and debootstrap (a package of Debian's)")
    with tempfile.TemporaryDirectory(prefix="redo-connector-image-") as folder:
        scratch = Path(folder)
        base = scratch / "base"
        _tell("making a clean root with debootstrap")
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(base)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        _tell("running the Dockerfile's steps")
        image = build((ROOT / "Dockerfile").read_text(encoding="utf-8"), ROOT, base, scratch)
        added = (_size(image.root) - _size(base)) / 1e6
        _tell(f"the image adds {added:.0f} MB to its base")
        if added > 75:  # of the 200 MB
            raise StepFailed("with python:3.11-slim-bookworm, about 125 MB, that is more than 200 MB")
        _rehearse(image, scratch)
    _tell("built, run read-only and without root, healthy, ready, every order delivered, ended with 0")


def _rehearse(image: Image, scratch: Path) -> None:
    data, mnt = scratch / "data", scratch / "mnt"
    for each in (data, mnt):
        each.mkdir()
    shutil.copy(ROOT / "mapping.sql", mnt)
    os.chown(data, *map(int, image.user.split(":")))
    with Cluster.create() as cluster:
        _furnish(cluster)
        container = Container(image, data, _environment(cluster))
        if container.code("touch", "/opt/connector/x") == 0 or container.code("touch", "/data/x") != 0:
            raise StepFailed("the root can be written, or /data can't")
        entry, command = image.words["ENTRYPOINT"], image.words["CMD"]
        sandbox = container.start(
            *entry, "sandbox", "--port", "9465", "--store-id", "rehearsal", "--api-secret", "rehearsal"
        )
        connector = container.start(*entry, *command)
        try:
            _until("the HEALTHCHECK passes", connector, lambda: container.code(*image.words["HEALTHCHECK"]) == 0)
            _until("/readyz answers 200", connector, lambda: _get("http://127.0.0.1:9464/readyz") is not None)
            orders = "http://127.0.0.1:9465/_sandbox/orders"
            _until("every order is delivered", connector, lambda: len((_get(orders) or b"").splitlines()) == 100)
            connector.terminate()
            if connector.wait(30) != 0:
                raise StepFailed(f"at SIGTERM it ended with {connector.returncode}")
        finally:
            for process in (sandbox, connector):
                process.terminate()
                process.wait(30)


def _furnish(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        for path in ("connector/demo/oms.sql", "deploy/compose/orders.sql", "deploy/compose/role.sql"):
            conn.execute((ROOT / path).read_bytes())


def _environment(cluster: Cluster) -> dict[str, str]:
    return {
        "CONNECTOR_SOURCE__DSN": cluster.dsn("shop", "redo_connector"),
        "CONNECTOR_MAPPING__PATH": "/mnt/mapping.sql",
        "CONNECTOR_REDO__BASE_URL": "http://127.0.0.1:9465",
        "CONNECTOR_REDO__STORE_ID": "rehearsal",
        "CONNECTOR_REDO__API_SECRET": "rehearsal",
    }


def _until(what: str, process: subprocess.Popen[str], check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WITHIN
    while not check():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise StepFailed(f"did not come true: {what}\n{process.communicate()[0][-3000:]}")
        time.sleep(0.3)
    _tell(what)


def _get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- ours
            found: bytes = answer.read()
            return found
    except (urllib.error.URLError, OSError):
        return None


def _size(folder: Path) -> int:
    return int(subprocess.run(["du", "-sb", str(folder)], capture_output=True, text=True, check=True).stdout.split()[0])


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except StepFailed as error:
        sys.exit(str(error))
