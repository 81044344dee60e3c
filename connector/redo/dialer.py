"""Opens connections to one address: DNS, TCP, the proxy's tunnel, TLS. Whatever fails here, no request was sent."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final, TypeAlias, cast

import httpx2 as httpx

from connector.model.errors import scarcity
from connector.redo.answer_reader import AnswerReader
from connector.redo.connection import Connection, NoAnswer

_Try: TypeAlias = asyncio.Task[tuple[asyncio.Transport, Connection]]
_NEXT_ADDRESS: Final = 0.25
"""Seconds until the host's next address is tried beside (RFC 8305, 5)."""
_UNKNOWN_NAME: Final = frozenset({socket.EAI_NONAME, socket.EAI_FAIL, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_BROKEN_OFF: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A handshake that the other side broke off, as a restarting server does: no fault of the certificates."""


class Dialer:
    """`url`: its scheme, host and port count. `timeout`: seconds for all of it. `on_connect`: called for each
    connection."""

    def __init__(
        self,
        url: httpx.URL,
        proxy: httpx.Proxy | None,
        tls: ssl.SSLContext,
        timeout: float,
        on_connect: Callable[[], None] | None = None,
    ) -> None:
        self._url = url
        self._proxy = proxy
        self._tls = tls
        self._timeout = timeout
        self._on_connect = on_connect

    def head(self, method: str, url: httpx.URL, headers: bytes) -> bytes:
        """A request's head, which ends with `headers`. Without a tunnel a proxy is asked for the whole URL."""
        target = url.raw_path
        if self._proxy is not None and url.scheme == "http":
            target = b"http://" + url.netloc + target
            headers = _authorization(self._proxy) + headers
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (method.encode(), target, url.netloc, headers)

    async def dial(self) -> Connection:
        """Raises NoAnswer."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._dial()
        except TimeoutError:
            raise NoAnswer("connect_timeout", "no connection in time") from None
        except (OSError, UnicodeError) as error:
            raise NoAnswer(_reason(error), _described(error)) from error

    async def _dial(self) -> Connection:
        first = self._url if self._proxy is None else self._proxy.url
        connection = await _reached(await _addresses(first))
        try:
            if self._on_connect is not None:
                self._on_connect()
            if first.scheme == "https":
                await self._secure(connection, first)
            if self._proxy is not None and self._url.scheme == "https":
                await self._ask_for_a_tunnel(connection, self._proxy)
                await self._secure(connection, self._url)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _secure(self, connection: Connection, url: httpx.URL) -> None:
        if not connection.is_open:  # start_tls would wait for ever
            raise ConnectionResetError("closed before the handshake")
        transport = await asyncio.get_running_loop().start_tls(
            connection.transport,
            connection,
            self._tls,
            server_hostname=url.raw_host.decode("ascii"),
            ssl_handshake_timeout=2 * self._timeout,  # the event loop's own: ours comes first
        )
        connection.connection_made(cast("asyncio.Transport", transport))

    async def _ask_for_a_tunnel(self, connection: Connection, proxy: httpx.Proxy) -> None:
        host = self._url.raw_host.decode("ascii")
        target = f"{f'[{host}]' if ':' in host else host}:{_port(self._url)}".encode()
        head = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, target, _authorization(proxy))
        reader, now = AnswerReader(0, connect=True), asyncio.get_running_loop().time()
        try:
            await connection.exchange(head, b"", reader, self._timeout, now + self._timeout)
        except NoAnswer as error:
            raise NoAnswer("proxy", error.detail) from None
        if not reader.reusable:
            raise NoAnswer("proxy", f"it answered {reader.status}")


async def _addresses(url: httpx.URL) -> list[tuple[str, int]]:
    """The host's, families in turn (RFC 8305, 4). Raises OSError, UnicodeError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        url.raw_host.decode("ascii"), _port(url), type=socket.SOCK_STREAM
    )
    ours = [address for family, _, _, _, address in found if family == found[0][0]]
    others = [address for family, _, _, _, address in found if family != found[0][0]]
    in_turn = (address for pair in zip_longest(ours, others) for address in pair if address is not None)
    return [(str(address[0]), int(address[1])) for address in in_turn]


async def _reached(addresses: Sequence[tuple[str, int]]) -> Connection:
    """To the first address that answers; each is tried beside the ones before. Raises OSError: the first address's.

    The event loop makes the sockets. One that uvloop is handed it may close twice, and by then another may have the
    descriptor.
    """
    loop, waiting = asyncio.get_running_loop(), list(addresses)
    tries: list[_Try] = []
    winner: _Try | None = None
    try:
        while winner is None and (waiting or not all(each.done() for each in tries)):
            if waiting:
                tries.append(loop.create_task(loop.create_connection(Connection, *waiting.pop(0))))
            pending = [each for each in tries if not each.done()]
            await asyncio.wait(pending, timeout=_NEXT_ADDRESS if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            winner = next((each for each in tries if each.done() and each.exception() is None), None)
        return (winner or tries[0]).result()[1]
    finally:
        for each in tries:
            if not each.done():
                each.cancel()
            elif each is not winner and not each.exception():
                each.result()[1].abort()


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _authorization(proxy: httpx.Proxy) -> bytes:
    if proxy.raw_auth is None:
        return b""
    return b"Proxy-Authorization: Basic %b\r\n" % base64.b64encode(b":".join(proxy.raw_auth))


def _reason(error: BaseException) -> str:
    """An unknown name or a bad certificate has to be repaired by a person, the rest may pass."""
    if scarcity(error):
        return "exhausted"
    if isinstance(error, ssl.SSLError):
        return "connect" if isinstance(error, _BROKEN_OFF) else "tls"
    if isinstance(error, socket.gaierror):
        return "dns" if error.errno in _UNKNOWN_NAME else "dns_temporary"
    return "dns" if isinstance(error, UnicodeError) else "connect"


def _described(error: Exception) -> str:
    """The error's class and the system's message (host, port, errno)."""
    words = "".join(sign for sign in str(error) if sign.isprintable()).strip()[:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
