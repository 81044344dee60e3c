"""Opens connections to one address: DNS, TCP, the proxy's tunnel, TLS. Whatever fails here, no request was sent."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

import httpx2 as httpx
from aiohappyeyeballs import start_connection

from connector.model.errors import scarcity
from connector.redo.answer_reader import AnswerReader
from connector.redo.connection import Connection, NoAnswer

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
        self._patience = 2 * timeout  # the event loop's own limit for a handshake: ours comes first
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
                if self._proxy is None:
                    return await self._open(self._url)
                connection = await self._open(self._proxy.url)
                if self._url.scheme == "https":
                    await self._tunnelled(connection, self._proxy)
                return connection
        except TimeoutError:
            raise NoAnswer("connect_timeout", "no connection in time") from None
        except (OSError, RuntimeError, UnicodeError) as error:
            raise NoAnswer(_reason(error), _described(error)) from error

    async def _open(self, url: httpx.URL) -> Connection:
        loop, host = asyncio.get_running_loop(), url.raw_host.decode("ascii")
        found = await loop.getaddrinfo(host, _port(url), type=socket.SOCK_STREAM)
        sock = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._on_connect is not None:
                self._on_connect()
            if url.scheme == "http":
                return (await loop.create_connection(lambda: Connection(sock), sock=sock))[1]
            return (
                await loop.create_connection(
                    lambda: Connection(sock),
                    sock=sock,
                    ssl=self._tls,
                    server_hostname=host,
                    ssl_handshake_timeout=self._patience,
                )
            )[1]
        except BaseException:
            sock.close()
            raise

    async def _tunnelled(self, connection: Connection, proxy: httpx.Proxy) -> None:
        """TLS to the address through the proxy. Raises NoAnswer, OSError."""
        try:
            await self._ask_for_a_tunnel(connection, proxy)
            host = self._url.raw_host.decode("ascii")
            transport = await asyncio.get_running_loop().start_tls(
                connection.transport, connection, self._tls, server_hostname=host, ssl_handshake_timeout=self._patience
            )
            connection.connection_made(cast("asyncio.Transport", transport))
        except BaseException:
            connection.abort()
            raise

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
