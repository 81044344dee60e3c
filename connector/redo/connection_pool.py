"""Kept-alive HTTP/1.1 connections to one address, of which the last used is used first."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Final

import httpx2 as httpx

from connector.model.errors import ConfigurationError, Problem, scarcity
from connector.redo.answer_reader import AnswerReader
from connector.redo.connection import Connection, NoAnswer, Permit
from connector.redo.dialer import Dialer

KEEP_ALIVE: Final = 30.0
"""Seconds that an idle connection is kept: less than load balancers commonly do (60)."""
CLOSING: Final = 1.0
"""Seconds that closing all connections may take; it takes a turn of the event loop."""


class ConnectionPool:
    """As many connections as there are requests at the same time. `timeout`: seconds for connecting, and without
    progress; a whole request may take twice as long. `keep_alive`: seconds that an idle connection is kept. `permit`:
    awaited last before a request is sent and before the last byte of a long one, false when it must not be any more."""

    def __init__(
        self,
        dialer: Dialer,
        timeout: float,
        keep_alive: float = KEEP_ALIVE,
        permit: Permit | None = None,
    ) -> None:
        self._dialer = dialer
        self._timeout = timeout
        self._keep_alive = keep_alive
        self._permit = permit
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._closed = False

    async def exchange(self, head: bytes, body: bytes, most: int) -> AnswerReader:
        """A request's answer, of which at most `most` bytes of the body are read. It is sent once, if at all. Raises
        NoAnswer."""
        connection = self._idle_one()
        if connection is None:
            connection = await self._dialer.dial()
            if self._closed:
                connection.abort()
                raise NoAnswer("connect", "the client was closed")
            connection.allow(self._permit)
            self._all.add(connection)
        try:
            if self._permit is not None and not await self._permit():
                raise NoAnswer("connect", "another connector leads: nothing is sent any more")
            deadline = asyncio.get_running_loop().time() + 2 * self._timeout
            return await connection.exchange(head, body, AnswerReader(most), self._timeout, deadline)
        finally:
            self._keep(connection)

    def _idle_one(self) -> Connection | None:
        since = asyncio.get_running_loop().time() - self._keep_alive
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > since and connection.is_quiet():
                return connection
            self._drop(connection)
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.is_open:
            self._all.discard(connection)
            return
        now = connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        while self._idle[0].idle_since < now - self._keep_alive or not self._idle[0].is_open:
            self._drop(self._idle.popleft())

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        self._all.discard(connection)

    async def aclose(self) -> None:
        """Ends all requests; one whose connection is still being opened isn't sent any more."""
        self._closed = True
        for connection in self._all:
            connection.abort()
        if self._all:
            await asyncio.wait([connection.closed for connection in self._all], timeout=CLOSING)
        self._all.clear()
        self._idle.clear()


def trusted_certificates() -> ssl.SSLContext:
    """The machine's certificates, or those that SSL_CERT_FILE or SSL_CERT_DIR name. Raises ConfigurationError."""
    try:
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        hint = scarcity(error) or "name a readable file of certificates in PEM form in SSL_CERT_FILE, or unset it"
        what = f"the trusted certificates can't be read: {error.strerror or type(error).__name__}"
        raise ConfigurationError([Problem(what, hint, "SSL_CERT_FILE")]) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def checked_proxy(text: str) -> httpx.Proxy:
    """Raises ConfigurationError without the proxy's user name and password."""
    try:
        proxy = httpx.Proxy(text)
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in ("http", "https") or not proxy.url.host:
        hint = "use http://host:port in HTTPS_PROXY or HTTP_PROXY, or name Redo's host in NO_PROXY"
        raise ConfigurationError([Problem("the proxy's address is not an HTTP URL", hint, "HTTPS_PROXY")])
    return proxy
