"""Ends the process when not even its threads get to run, because something holds the interpreter: without Python.

What counts is time in which the process ran. A timer that was set for a moment has passed when a stopped process goes
on, or a machine wakes up, so it takes two, of which the second begins only once the first was delivered. After a stop
of any length the first one rings, and whoever is to postpone it has the length of the second one to do so.
"""

from __future__ import annotations

import ctypes
import faulthandler
import fcntl
import os
import signal
import socket
from contextlib import suppress
from typing import Final

STDERR: Final = 2
STARTS_SECOND: Final = signal.SIGIO
"""Begins the second timer. Its handler is libc's `alarm`, which is called as all handlers are, with the number of the
signal: so many seconds later (29 on Linux) SIGALRM writes where all threads stand, and ends the process."""


class LastResort:
    """`seconds`: of the first timer. Use from `start` to `stop`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def start(self) -> None:
        self._heard, self._rings = socket.socketpair()
        self._heard.setblocking(False)
        self._rings.setblocking(False)
        fcntl.fcntl(self._heard, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(self._heard, fcntl.F_SETFL, fcntl.fcntl(self._heard, fcntl.F_GETFL) | os.O_ASYNC)
        _handle(STARTS_SECOND, ctypes.cast(ctypes.CDLL(None).alarm, ctypes.c_void_p))
        faulthandler.register(signal.SIGALRM, file=STDERR, all_threads=True, chain=True)
        self.postpone()

    def postpone(self) -> None:
        """Python's threads run: begin anew."""
        faulthandler.dump_traceback_later(self._seconds, exit=False, file=self._rings)
        with suppress(BlockingIOError):
            while self._heard.recv(65_536):
                signal.alarm(0)

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        with suppress(BlockingIOError):
            while self._heard.recv(65_536):
                signal.alarm(0)
        faulthandler.unregister(signal.SIGALRM)
        _handle(STARTS_SECOND, None)
        self._heard.close()
        self._rings.close()


def _handle(number: signal.Signals, handler: ctypes.c_void_p | None) -> None:
    """By a function of C's, None for the usual: Python's own `signal` knows functions of Python's only."""
    install = ctypes.CDLL(None).signal
    install.argtypes, install.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    install(number, handler)
