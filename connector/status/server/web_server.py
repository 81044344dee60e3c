"""A uvicorn server that lives in our event loop. It must not know what it serves."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from connector.model.errors import ConfigurationError, Problem
from connector.status.server.connections import MOST_KEPT, BoundedConnection, Visits

_BACKLOG: Final = 1024


class _Server(uvicorn.Server):
    """uvicorn without its hands on our signals, and with word of when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class WebServer:
    """Serves an application inside the running event loop, from `start` to `stop`. Port 0: any free one, see `port`."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, closing: asyncio.Event | None = None, most: int = 128
    ) -> None:
        """`closing` is set at the stop, so that answers that go on by themselves end. `most`: connections at a time."""
        self._app = app
        self._most = most
        self._closing = closing
        self._host = host
        self.port = port
        """Where it listens, once started."""
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it listens. Raises ConfigurationError when the address can't be had."""
        self._socket = await listen(self._host, self.port)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=partial(BoundedConnection, visits=Visits(self._most)),  # type: ignore[arg-type]  # uvicorn only calls it
            backlog=MOST_KEPT,  # asyncio accepts as many in one turn of the loop
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="status-web")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait((self._task, listening), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            self._task.result()
        self._socket.listen(_BACKLOG)  # so many may wait to be accepted

    async def stop(self) -> None:
        """Stop listening, let running answers end within a second. A second call does nothing."""
        server, task, listener = self._server, self._task, self._socket
        self._server = self._task = None
        if server is None or task is None:
            return
        if self._closing is not None:
            self._closing.set()
        server.should_exit = True
        await task
        if listener is not None:
            listener.close()


async def listen(host: str, port: int) -> socket.socket:
    """Raises ConfigurationError when the address can't be had."""
    loop = asyncio.get_running_loop()
    try:
        family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    except (OSError, OverflowError, ValueError) as error:  # ValueError: letters that no name has
        problem = Problem(f"{host} is not an address of this machine", "use 127.0.0.1, or 0.0.0.0", "status.host")
        raise ConfigurationError([problem]) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError([_unavailable(host, port, error)]) from error
    return listener


def _unavailable(host: str, port: int, error: OSError) -> Problem:
    if error.errno == errno.EADDRINUSE:
        hint = "choose another port, or stop the program that has this one (`ss -ltnp` shows it)"
        return Problem(f"port {port} on {host} is taken by another program", hint, "status.port")
    if error.errno == errno.EACCES:
        return Problem(f"this user may not listen on port {port}", "choose a port above 1023", "status.port")
    return Problem(f"can't listen on {host}: {error.strerror}", "use 127.0.0.1, or 0.0.0.0", "status.host")
