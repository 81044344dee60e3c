"""Ends the process when a part of it no longer gets on, so that a supervisor starts it again.

A thread of its own, because the event loop may be what is stuck; and behind that `last_resort`, because a thread needs
the interpreter. Ending loses nothing: what was acknowledged is in the ledger, what was in flight is confirmed. It must
not know what the parts do; each has a heartbeat.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from connector.daemon.health.last_resort import STDERR, LastResort
from connector.daemon.health.stacks import task_lines, thread_lines
from connector.pipeline.heartbeat import Heartbeat, Stall, Stalls

log = structlog.get_logger("connector.watchdog")

EXIT_STALLED: Final = 3
LOG_BOUND: Final = 5.0
"""Seconds that writing to the log may take: whoever reads our standard error may be stuck too."""
MARGIN: Final = 5.0
"""Seconds that the first timer of the last resort waits longer than the thread would."""


class Watchdog:
    """`stalled_after`, `exit_after` (None: never) in seconds of getting nowhere, beyond a part's own allowance. Use
    within one event loop, from `start` to `stop`."""

    def __init__(
        self,
        stalled_after: float,
        exit_after: float | None,
        *,
        margin: float = MARGIN,
        log_bound: float = LOG_BOUND,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self.stalled: tuple[Stall, ...] = ()
        """Parts that get nowhere, those that others wait for first; may be read from any thread."""
        self._stalled_after = stalled_after
        self._exit_after = exit_after
        self._last_resort = None if exit_after is None else LastResort(exit_after + margin)
        self._log_bound = log_bound
        self._end = end
        self._every = min(1.0, stalled_after / 10)
        self._loop_heartbeat = Heartbeat("event loop", "running everything else", root=True)
        self._heartbeats: Callable[[], Sequence[Heartbeat]] = tuple
        self._stalls = Stalls()
        self._logged: frozenset[str] = frozenset()
        self._stopped = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def watch(self, heartbeats: Callable[[], Sequence[Heartbeat]] = tuple) -> None:
        """From now on these, instead of those before; asked for from the watchdog's thread."""
        self._heartbeats = heartbeats

    def start(self) -> None:
        """Watch the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop_heartbeat.beat()
        if self._last_resort is not None:
            self._last_resort.start()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """A second call does nothing."""
        self._stopped.set()
        if self._thread is None:
            return
        self._thread.join(2 * self._log_bound)
        if self._last_resort is not None:
            self._last_resort.stop()
        self._thread = None

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._stopped.wait(self._every):
            now = time.monotonic()
            # Of a time in which this thread didn't run either, nothing is known.
            passed, last = min(now - last, 2 * self._every), now
            if self._look(passed):
                return

    def _look(self, passed: float) -> bool:
        """True when the process was ended (which only a test outlives)."""
        if self._last_resort is not None:
            self._last_resort.postpone()
        assert self._loop is not None  # noqa: S101 -- set before the thread starts
        try:
            self._loop.call_soon_threadsafe(self._loop_heartbeat.beat)
        except RuntimeError:
            return True  # the loop is closed: nothing is left to be watched
        stalls = self._stalls.look([self._loop_heartbeat, *self._heartbeats()], passed)
        self.stalled = tuple(stall for stall in stalls if stall.beyond >= self._stalled_after)
        if self._exit_after is not None and any(stall.beyond >= self._exit_after for stall in stalls):
            self._within_bound(lambda: self._log_exit(self.stalled[0]))
            self._end(EXIT_STALLED)
            return True
        self._log_stalls()
        return False

    def _log_stalls(self) -> None:
        """Each stall once, and when it is over."""
        new = [stall for stall in self.stalled if stall.name not in self._logged]
        over = self._logged - {stall.name for stall in self.stalled}
        self._logged = frozenset(stall.name for stall in self.stalled)
        for stall in new:
            self._within_bound(partial(log.error, "stalled", part=stall.name, problem=str(stall), next=self.advice))
        for name in over:
            self._within_bound(partial(log.info, "stall_over", part=name))

    @property
    def advice(self) -> str:
        """What comes next, for people."""
        if self._exit_after is None:
            return "restart the connector: nothing is lost (health.exit_after is off, so it doesn't end by itself)"
        ends = f"after {self._exit_after:.3g} s of it the process ends with exit code {EXIT_STALLED}"
        return f"{ends}, so that its supervisor starts it again; nothing is lost"

    def _log_exit(self, stall: Stall) -> None:
        log.critical(
            "stalled_exit",
            part=stall.name,
            problem=str(stall),
            exit_code=EXIT_STALLED,
            next="let a supervisor start it again: nothing is lost; where everything stood is written below",
        )
        assert self._loop is not None  # noqa: S101 -- set before the thread starts
        os.write(STDERR, "\n".join([*task_lines(self._loop), thread_lines(), ""]).encode())

    def _within_bound(self, write: Callable[[], object]) -> None:
        """Write to the log, in a thread that is left behind where whoever reads our standard error is stuck."""
        writer = threading.Thread(target=write, name="watchdog-words", daemon=True)
        writer.start()
        writer.join(self._log_bound)
