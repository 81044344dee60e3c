"""Kept-alive HTTP/1.1 connections to one host.

A stack of httpx2 transports with one connection each, of which the last used is used first. httpx2's own pool walks all
of its connections for every request, which took a quarter of a request's CPU time at 32 in flight.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2 as httpx

from connector.model.errors import ConfigurationError, Problem, scarcity

KEEP_ALIVE: Final = 30.0
"""Seconds that an idle connection is kept: less than load balancers commonly do (60)."""


class ConnectionPool:
    """As many connections as there are requests at the same time. `keep_alive`: seconds that an idle one is kept.
    Raises ConfigurationError for a proxy or certificates that can't be used."""

    def __init__(self, proxy: str | None = None, keep_alive: float = KEEP_ALIVE) -> None:
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []
        self._proxy = None if proxy is None else _checked_proxy(proxy)
        self._tls = _trusted_certificates()
        self._limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=keep_alive)

    @contextmanager
    def transport(self) -> Iterator[httpx.AsyncHTTPTransport]:
        """A transport for one request. It opens a new connection where its last request was cut short."""
        transport = self._idle.pop() if self._idle else self._new_transport()
        try:
            yield transport
        finally:
            self._idle.append(transport)

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(verify=self._tls, limits=self._limits, proxy=self._proxy)
        self._all.append(transport)
        return transport

    async def aclose(self) -> None:
        for transport in self._all:
            await transport.aclose()
        self._all.clear()
        self._idle.clear()


def _trusted_certificates() -> ssl.SSLContext:
    """The machine's certificates, or those that SSL_CERT_FILE or SSL_CERT_DIR name."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        hint = scarcity(error) or "name a readable file of certificates in PEM form in SSL_CERT_FILE, or unset it"
        what = f"the trusted certificates can't be read: {error.strerror or type(error).__name__}"
        raise ConfigurationError([Problem(what, hint, "SSL_CERT_FILE")]) from None


def _checked_proxy(text: str) -> httpx.Proxy:
    """Raises ConfigurationError without the proxy's user name and password."""
    try:
        proxy = httpx.Proxy(text)
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in ("http", "https") or not proxy.url.host:
        hint = "use http://host:port in HTTPS_PROXY or HTTP_PROXY, or name Redo's host in NO_PROXY"
        raise ConfigurationError([Problem("the proxy's address is not an HTTP URL", hint, "HTTPS_PROXY")])
    return proxy
