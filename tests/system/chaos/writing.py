"""The oracle's random traffic in a thread, through restarts and failovers of its server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg

from tests.system.oracle.worlds import World
from tests.system.oracle.writers import Traffic

BATCH = 5
PAUSE = 0.05


class Writing:
    """`dsn` is asked anew after each cut. To be started once the tables are filled; `stop` waits for what is open."""

    def __init__(self, dsn: Callable[[], str], world: World, seed: int) -> None:
        self.committed = 0
        self.cuts = 0
        self.failure: BaseException | None = None
        self._dsn = dsn
        self._world = world
        self._seed = seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Blocks. Raises what ended the traffic by itself."""
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._until_cut()
        except BaseException as error:  # noqa: BLE001 -- told by `stop`, to whom it belongs
            self.failure = error

    def _until_cut(self) -> None:
        try:
            with Traffic(self._dsn(), self._world, self._seed + self.cuts) as traffic:
                before = 0
                while not self._stop.is_set():
                    traffic.play(BATCH)
                    self.committed += traffic.committed - before
                    before = traffic.committed
                    time.sleep(PAUSE)
        except psycopg.OperationalError:
            self.cuts += 1
            time.sleep(PAUSE)
