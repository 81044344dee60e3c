"""Kept-alive HTTP/1.1 connections to one host: one transport for each, the last used is used first.

httpx2's own pool walks all of its connections for every request, about a quarter of a request's CPU at 32 in flight;
a stack of transports with one connection each does not. Timeouts are given with each request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import httpx2 as httpx

from connector.model.errors import ConfigurationError, Problem

KEEP_ALIVE: Final = 30.0
"""Seconds that an idle connection is kept: below what load balancers commonly allow (60)."""


class Lanes:
    """At most `most` requests at a time; further ones wait their turn. `on_connect` is told of each new connection;
    `keep_alive` is how many idle seconds it is kept. Raises ConfigurationError for a proxy or certificates that can't
    be used."""

    Turn: TypeAlias = asyncio.Semaphore

    @staticmethod
    def turns(most: int) -> Turn:
        """To be shared by lanes to several hosts."""
        return asyncio.Semaphore(most)

    def __init__(
        self,
        most: int | Turn,
        proxy: str | None = None,
        on_connect: Callable[[], None] | None = None,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self._turn = asyncio.Semaphore(most) if isinstance(most, int) else most
        self._on_connect = on_connect
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []
        self._proxy = None if proxy is None else _checked_proxy(proxy)
        self._tls = _trusted()
        self._limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=keep_alive)

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """A transport for one request. Its connection survives, or is replaced when the request was cut short."""
        async with self._turn:
            transport = self._idle.pop() if self._idle else self._build()
            try:
                yield transport
            finally:
                self._idle.append(transport)

    def _build(self) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(verify=self._tls, limits=self._limits, proxy=self._proxy)
        self._all.append(transport)
        return transport

    async def trace(self, event: str, _: object) -> None:
        """httpx2's hook: told of each step of a request."""
        if self._on_connect is not None and event == "connection.connect_tcp.complete":
            self._on_connect()

    @property
    def traced(self) -> bool:
        return self._on_connect is not None

    async def aclose(self) -> None:
        for transport in self._all:
            await transport.aclose()
        self._all.clear()
        self._idle.clear()


def _trusted() -> ssl.SSLContext:
    """The machine's certificates, or those that SSL_CERT_FILE or SSL_CERT_DIR name."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        hint = "name a readable file of certificates in PEM form in SSL_CERT_FILE, or unset it"
        what = f"the trusted certificates can't be read: {error.strerror or type(error).__name__}"
        raise ConfigurationError([Problem(what, hint, "SSL_CERT_FILE")]) from None


def _checked_proxy(text: str) -> httpx.Proxy:
    """Its user name and password stay out of the message."""
    try:
        proxy = httpx.Proxy(text)
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in ("http", "https") or not proxy.url.host:
        hint = "use http://host:port in HTTPS_PROXY or HTTP_PROXY, or name Redo's host in NO_PROXY"
        raise ConfigurationError([Problem("the proxy's address is not an HTTP URL", hint, "HTTPS_PROXY")])
    return proxy
