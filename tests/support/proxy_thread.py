"""The fault proxy for tests without an event loop: it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.support.fault_proxy import FaultProxy

T = TypeVar("T")


class ThreadedProxy:
    """Made by `proxy_to`."""

    def __init__(self, proxy: FaultProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop

    @property
    def port(self) -> int:
        return self._proxy.port

    def black_hole(self) -> None:
        """Nothing goes either way any more, and nobody is told."""
        self._do(_called(self._proxy.black_hole))

    def mend(self) -> None:
        """What was held back never arrives; new connections work."""
        self._do(_called(self._proxy.reset))
        self._do(self._proxy.heal())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


async def _called(act: Any) -> None:
    act()


@contextmanager
def proxy_to(port: int, host: str = "127.0.0.1") -> Iterator[ThreadedProxy]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault proxy", daemon=True)
    thread.start()
    proxy = FaultProxy(host, port)
    made = ThreadedProxy(proxy, loop)
    made._do(proxy.__aenter__())
    try:
        yield made
    finally:
        made._do(proxy.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
