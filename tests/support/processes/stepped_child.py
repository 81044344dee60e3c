"""The real command, on a machine whose wall clock a test sets: a file says by how many seconds it is wrong.

`python -m tests.support.processes.stepped_child FILE run --config FILE`
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

EVERY = 0.02
"""Seconds between two looks into the file."""


def set_clock(file: Path, seconds: float) -> None:
    """From now on the clock is wrong by so much."""
    beside = file.with_suffix(".new")
    beside.write_text(str(seconds), encoding="ascii")
    beside.replace(file)


class _Wall:
    def __init__(self, file: Path) -> None:
        self._real, self._file = time.time, file
        self._wrong = self._read()
        threading.Thread(target=self._watch, daemon=True).start()

    def __call__(self) -> float:
        return self._real() + self._wrong

    def _read(self) -> float:
        return float(self._file.read_text(encoding="ascii")) if self._file.exists() else 0.0

    def _watch(self) -> None:
        while True:
            time.sleep(EVERY)
            self._wrong = self._read()


if __name__ == "__main__":
    time.time = _Wall(Path(sys.argv[1]))
    sys.argv[1:2] = []
    # Only now, because many a default is `time.time` itself.
    from connector.cli.main import main

    main()
