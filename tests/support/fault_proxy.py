"""A TCP proxy that misbehaves on demand: latency, black holes, cuts, resets, refusals; switchable while it runs.

A black hole holds bytes and ends of connections back, as dropped packets do: nobody is told anything, and what is held
goes on once the hole is healed. One difference to a real network remains: the kernels on either side of the proxy go on
acknowledging, so neither TCP keepalive nor `tcp_user_timeout` sees it. Whoever notices has looked by himself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 65_536
_QUEUED: Final = 64
"""Chunks under way in one direction of one connection: beyond that the sender is held back, as a full window does."""


class Way(Enum):
    """The direction that bytes flow in."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


@dataclass(slots=True)
class _Road:
    """What happens to bytes of one direction, whatever the connection."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    left: int | None = None
    """Bytes that may still pass before everything is cut; None: no end."""
    passed: int = 0


class FaultProxy:
    """Listens on a free port of 127.0.0.1 and leads to `host:port`. Use as an async context manager, in one loop."""

    host: Final = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        self.latency = 0.0
        """Seconds that each chunk takes, either way; what is under way already keeps its own."""
        self.port = 0
        """Where it listens, once started."""
        self.accepted = 0
        """Connections taken so far."""
        self._target = (host, port)
        self._roads = {way: _Road() for way in Way}
        self._keeper = socket.socket()
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        # Bound and never listening: the port stays ours while connections are refused.
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._keeper.bind((self.host, 0))
        self.port = int(self._keeper.getsockname()[1])
        await self.heal()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.refuse()
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._keeper.close()

    @property
    def connections(self) -> int:
        """Open at present."""
        return len(self._links)

    def passed(self, way: Way) -> int:
        """Bytes that went this way so far."""
        return self._roads[way].passed

    def black_hole(self, *ways: Way) -> None:
        """From now on nothing goes these ways (both, when none is named), on connections old and new."""
        for way in ways or Way:
            self._roads[way].open.clear()

    async def heal(self) -> None:
        """End every fault, except that connections already cut stay cut."""
        self.latency = 0.0
        for road in self._roads.values():
            road.left = None
            road.open.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port, reuse_port=True)

    async def refuse(self) -> None:
        """Refuse new connections, until healed; open ones stay."""
        if self._server is not None:
            self._server.close()  # no wait_closed: that waits for open connections too
            self._server = None
            await asyncio.sleep(0)

    def cut_after(self, size: int, way: Way) -> None:
        """Reset all connections once `size` more bytes went this way, in the middle of whatever they were."""
        self._roads[way].left = size

    def reset(self) -> None:
        """RST to both sides of every open connection."""
        for link in list(self._links):
            link.end(abruptly=True)

    def hang_up(self) -> None:
        """FIN to both sides of every open connection."""
        for link in list(self._links):
            link.end(abruptly=False)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = _Link([writer])
        self._links.add(link)
        try:
            # A connection made in a hole reaches nobody before it is healed.
            for road in self._roads.values():
                await road.open.wait()
            up_reader, up_writer = await asyncio.open_connection(*self._target)
            link.writers.append(up_writer)
            ways = (self._carry(Way.TO_SERVER, reader, up_writer), self._carry(Way.TO_CLIENT, up_reader, writer))
            await asyncio.gather(*ways)
        except OSError:
            link.end(abruptly=True)
        except asyncio.CancelledError:
            pass  # the proxy ends; a handler's cancellation would be logged as an error
        finally:
            link.end(abruptly=False)
            self._links.discard(link)
            self._tasks.discard(task)

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the sender's end has arrived at the other side. Raises OSError."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
        taking = asyncio.create_task(self._take(reader, queue))
        try:
            while True:
                due, chunk = await queue.get()
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                await self._roads[way].open.wait()
                if not chunk:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                await self._pass(way, writer, chunk)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        chunk = b"."
        while chunk:
            with contextlib.suppress(OSError):  # an end is an end; which one shows on the other side as FIN
                chunk = b""
                chunk = await reader.read(_CHUNK)
            await queue.put((asyncio.get_running_loop().time() + self.latency, chunk))

    async def _pass(self, way: Way, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        road = self._roads[way]
        cut = road.left is not None and len(chunk) >= road.left
        chunk = chunk[: road.left] if cut else chunk
        road.passed += len(chunk)
        if road.left is not None:
            road.left -= len(chunk)
        writer.write(chunk)
        await writer.drain()
        if cut:
            road.left = None
            self.reset()
            raise ConnectionAbortedError


@dataclass(eq=False, slots=True)
class _Link:
    """One connection: its writer to the client and, once there is one, to the server."""

    writers: list[asyncio.StreamWriter]

    def end(self, *, abruptly: bool) -> None:
        for writer in self.writers:
            if abruptly and not writer.is_closing():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            else:
                writer.close()
