"""Runs the sandbox on a socket: for the command (`run`), and for tests and the demo (`SandboxServer`)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import struct
from collections.abc import Callable, Generator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import uvicorn
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol

from connector.sandbox.app import create_app
from connector.sandbox.faults.switches import Switches
from connector.sandbox.state import State


class SandboxServer:
    """A running sandbox: `async with SandboxServer() as sandbox: ... sandbox.base_url`. Port 0 takes a free one."""

    def __init__(self, state: State | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = state or State()
        self._address = (host, port)
        self._listening = asyncio.Event()
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.base_url = ""

    async def __aenter__(self) -> Self:
        listener = _listen(*self._address)
        host, port = listener.getsockname()[:2]
        self.base_url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = _Server(_config(self.state), self._listening.set)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="redo-sandbox")
        await self._listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        await self.wait()

    def stop(self) -> None:
        """Let go of whoever hangs, and end."""
        self.state.closed.set()
        if self._server is not None:
            self._server.stopped.set()

    async def wait(self) -> None:
        """Until the server has ended."""
        if self._task is not None:
            await self._task


async def serve(host: str, port: int, state: State, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is told the base URL. Raises OSError when the port is taken."""
    async with SandboxServer(state, host, port) as server:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        ready(server.base_url)
        await server.wait()


def run(
    host: str,
    port: int,
    store_id: str,
    api_secret: str,
    ready: Callable[[str], None] = lambda _: None,
    stores: Mapping[str, str] | None = None,
    **switches: Any,
) -> None:
    """The command: blocks until a signal. `stores`: secrets of further stores by id. Raises ValueError for an unknown
    switch, OSError when the port is taken."""
    chosen = Switches()
    if wrong := chosen.change(switches):
        raise ValueError(wrong)
    uvloop.run(serve(host, port, State(store_id, api_secret, chosen, stores=dict(stores or {})), ready))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay of 40 ms off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    except TypeError:
        listener.close()
        raise OSError(errno.EADDRNOTAVAIL, "no machine has such a name") from None
    return listener


def _config(state: State) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(state),
        http=_Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=256,
        timeout_keep_alive=60,
    )


class _Server(uvicorn.Server):
    """uvicorn without its hold on the process's signals, telling when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = listening
        self.stopped = asyncio.Event()

    async def main_loop(self) -> None:
        """uvicorn's own looks every 0.1 s whether it is to end, and writes the date header that is off here."""
        await self.stopped.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()


class _Connection(H11Protocol):
    """Lets the app close its connection without an answer (`scope["state"]["abort"]`), and see whether the client has
    closed it (`scope["state"]["gone"]`)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own narrowing
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": partial(_abort, transport), "gone": transport.is_closing}


def _abort(transport: asyncio.Transport, *, reset: bool) -> None:
    """Close at once; `reset`: by RST."""
    if reset and not transport.is_closing():
        number = transport.get_extra_info("socket").fileno()
        with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
