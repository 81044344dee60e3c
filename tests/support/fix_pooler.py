"""Connection poolers in front of the test's Postgres: a small one of our own, and PgBouncer where it is installed.

Ours does to its clients what PgBouncer's transaction mode does: server connections are handed to another client at each
transaction's end, with whatever was set on them, and replication connections are refused.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from connector.demo.postgres import Cluster
from tests.support.fix_cli import free_port

_CANCEL_REQUEST, _SSL_REQUEST, _GSS_REQUEST = 80877102, 80877103, 80877104
_REFUSED = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: replication\0\0"


@dataclass(slots=True)
class Lent:
    """A server connection of the pool."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass(slots=True)
class SmallPooler:
    """`mode`: `transaction` or `session`. `ignores`: startup parameters that are dropped instead of refused."""

    server_port: int
    mode: str
    ignores: frozenset[str]
    limit: int
    port: int = 0
    opened: int = 0
    free: deque[Lent] = field(default_factory=deque)
    cancelled: bool = False
    greeting: bytes = b""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._serve(reader, writer)
        writer.close()

    async def close(self) -> None:
        self.cancelled = True
        for writer in self.writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self.writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await self._startup(reader, writer)
        if "replication" in startup and "replication" not in self.ignores:
            writer.write(b"E" + (len(_REFUSED) + 4).to_bytes(4) + _REFUSED)
            await writer.drain()
            return
        if not self.greeting:
            self.free.append(await self._opened(startup))
        lent: Lent | None = None
        key = (0x7ABCDEF0).to_bytes(4) + b"\0\0\0\1"
        writer.write(self.greeting + b"K" + (12).to_bytes(4) + key + b"Z\0\0\0\5I")
        while True:
            kind, message = await _message(reader)
            if kind == b"X":
                break
            if lent is None:
                lent = await self._free(startup)
            lent.writer.write(message)
            if kind in (b"Q", b"S"):
                idle = await self._answered(lent, writer)
                if idle and self.mode != "session":
                    self.free.append(lent)
                    lent = None
        if lent is not None:
            lent.writer.close()

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, str]:
        while True:
            length = int.from_bytes(await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            code = int.from_bytes(body[:4])
            if code == _CANCEL_REQUEST:
                self.cancelled = True
                raise ConnectionError
            if code not in (_SSL_REQUEST, _GSS_REQUEST):
                words = body[4:].decode().split("\0")
                return dict(zip(words[::2], words[1::2], strict=False))
            writer.write(b"N")

    async def _free(self, startup: dict[str, str]) -> Lent:
        """The one that waited longest, so that the next client of the pool gets another than this one had. A request
        to cancel ends the waiting for one, and the connection, as it does at PgBouncer."""
        while not self.free and self.opened >= self.limit:
            await asyncio.sleep(0.01)
            if self.cancelled:
                raise ConnectionError
        return self.free.popleft() if self.free else await self._opened(startup)

    async def _opened(self, startup: dict[str, str]) -> Lent:
        self.opened += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        self.writers.append(writer)
        passed = {name: value for name, value in startup.items() if name in ("user", "database")}
        words = b"".join(f"{name}\0{value}\0".encode() for name, value in passed.items())
        body = (196608).to_bytes(4) + words + b"\0"
        writer.write((len(body) + 4).to_bytes(4) + body)
        greeting = b""
        while True:
            kind, message = await _message(reader)
            if kind == b"Z":
                break
            assert kind != b"E", message
            greeting += message if kind in b"RS" else b""
        self.greeting = greeting
        return Lent(reader, writer)

    async def _answered(self, lent: Lent, client: asyncio.StreamWriter) -> bool:
        """Pass the answer on; True when no transaction is open after it."""
        while True:
            kind, message = await _message(lent.reader)
            client.write(message)
            if kind == b"Z":
                await client.drain()
                return message[5:] == b"I"


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


@contextmanager
def small_pooler(cluster: Cluster, mode: str, ignores: frozenset[str] = frozenset(), limit: int = 10) -> Iterator[int]:
    """Our own, in a thread with a loop of its own; yields its port."""
    pooler = SmallPooler(cluster.port, mode, ignores, limit)
    started, stop = Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(pooler.client, "127.0.0.1", 0)
        pooler.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        await pooler.close()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield pooler.port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def pgbouncer(cluster: Cluster, mode: str, ignores: frozenset[str], limit: int, folder: Path) -> Iterator[int]:
    """The real one; yields its port. Skips where it isn't installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    port = free_port()
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port} user=postgres\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"auth_file = {folder}/users.txt\npool_mode = {mode}\ndefault_pool_size = {limit}\n"
        f"ignore_startup_parameters = {','.join(ignores) or 'x'}\n"
    )
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [program, "-q", *as_nobody, str(folder / "pgbouncer.ini")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, f"pgbouncer ended with {process.returncode}"
        assert time.monotonic() < deadline, "pgbouncer does not listen"
        time.sleep(0.02)


Pooling = Callable[..., AbstractContextManager[int]]
"""`pooling("transaction", ignores=frozenset({"replication"}), limit=10)`: a pooler before the shared cluster, with at
most so many server connections, and its port."""


@pytest.fixture(params=["ours", "pgbouncer"])
def pooling(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Pooling:
    def made(mode: str, ignores: frozenset[str] = frozenset(), limit: int = 10) -> AbstractContextManager[int]:
        if request.param == "ours":
            return small_pooler(cluster, mode, ignores, limit)
        return pgbouncer(cluster, mode, ignores, limit, tmp_path)

    return made
