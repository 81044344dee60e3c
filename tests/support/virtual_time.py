"""An event loop whose clock jumps to the next timer instead of waiting: an hour takes as long as its callbacks.

No sockets, and no threads, whose work is done at once: nothing may wait for anything but timers and other tasks.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

EPOCH = 1_700_000_000.0
"""What the wall's clock shows when a loop begins."""

STANDSTILL = 20_000
"""Rounds of the loop without a timer, after which something turns in a circle."""
BRISK, TICK = 100, 1e-9
"""After so many rounds without a timer each takes a moment (s): asyncio rings timers that early, and who waits for the
time to have come must not wait for ever."""

T = TypeVar("T")


class JumpingSelector(selectors.SelectSelector):
    """Where the loop would sleep, the clock moves. No file is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for another, and no timer is set")
        if timeout > 0:
            self.now += timeout
            self._rounds = 0
            return []
        self._rounds += 1
        self.now += TICK if self._rounds > BRISK else 0.0
        if self._rounds > STANDSTILL:
            self._rounds = 0
            raise RuntimeError("tasks go on for ever without a moment passing")
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """`asyncio.to_thread`, without the thread."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- for whoever waits
            done.set_exception(error)
        return done

    def wall(self) -> float:
        """Seconds since 1970."""
        return EPOCH + self._jumping.now


def simulate(main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine, made by `main`, on a loop of its own. Raises RuntimeError when it could never end."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return runner.run(main(loop))
