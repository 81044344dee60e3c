"""Records the tapes anew."""

from __future__ import annotations

import asyncio
import sys

from tests.source.tapes import FOLDER, record
from tests.support.postgres.cluster import Cluster
from tests.support.programs import postgres_versions


def main() -> None:
    for version in map(int, sys.argv[1:]):
        with Cluster.create(bindir=postgres_versions.bindir(version), settings={"fsync": "off"}) as cluster:
            frames = asyncio.run(record(cluster.dsn(), "tape"))
        lines = "".join(f"{frame.hex()}\n" for frame in frames)
        (FOLDER / f"{version}.hex").write_text(lines, encoding="ascii")
        print(f"{version}: {len(frames)} frames, {sum(map(len, frames)):,} bytes")  # noqa: T201 -- a command's output


if __name__ == "__main__":
    main()
