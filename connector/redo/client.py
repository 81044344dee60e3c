"""Pushes, reads and deletes orders at Redo over HTTP. Never raises for anything that the network or Redo does.

Makes one request each and never tries again: that is the pipeline's business.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx2 as httpx

from connector import __version__
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import Order, Outcome, Place
from connector.redo.addresses import checked_url, order_url
from connector.redo.answers import Answer, ReadBack, deleted, pushed, read_back, unanswered, unexpected
from connector.redo.connection_pool import KEEP_ALIVE, ConnectionPool
from connector.redo.content_encoding import Incomplete, Undecodable, decoded
from connector.redo.redaction import Redactor
from connector.redo.transport_errors import outcome_of_error

PIECE: Final = 256 * 1024
"""Bytes of a body that are sent in one go."""
LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer to a push that are read; documented answers are far smaller."""
LARGEST_ORDER: Final = 8 * 1024 * 1024
"""Bytes of an order read back."""

_NO_STORE: Final = unanswered("no_store")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How requests are made, to all stores."""

    timeout: float = 30.0
    """Seconds for connecting, and for each read and write; a whole request may take twice as long."""
    max_connections: int = 32
    """Requests at the same time, to all hosts together."""
    keep_alive: float = KEEP_ALIVE
    """Seconds that an idle connection is kept."""
    proxy: Callable[[str], str | None] = lambda _: None
    """The proxy for a URL, None for a direct connection."""
    on_request: Callable[[str, str, float], None] | None = None
    """Called after each request with the method, the status code or the reason there was none, and the seconds."""
    on_connect: Callable[[], None] | None = None
    """Called for each new connection."""


@dataclass(frozen=True, slots=True)
class _Store:
    orders_url: httpx.URL
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    pool: ConnectionPool


class RedoClient:
    """A client for all stores; implements `Redo` of `connector.pipeline.ports`.

    `stores`: by store id, the URL that orders are pushed to and the API secret. Raises ConfigurationError for a URL,
    secret, proxy or certificates that can't be used.
    """

    def __init__(self, stores: Mapping[str, tuple[str, str]], http: HttpSettings | None = None) -> None:
        self._http = http or HttpSettings()
        self._limit = asyncio.Semaphore(self._http.max_connections)
        self._pools: dict[tuple[str | None, str, bytes], ConnectionPool] = {}
        self._secrets = [secret for _, secret in stores.values()]
        self._stores = {store_id: self._store(url, secret) for store_id, (url, secret) in stores.items()}
        phases = dict.fromkeys(("connect", "read", "write", "pool"), self._http.timeout)
        self._extensions: dict[str, Any] = {"timeout": phases}
        if self._http.on_connect is not None:
            self._extensions["trace"] = self._trace

    def _store(self, text: str, secret: str) -> _Store:
        url = checked_url(text)
        headers = [
            (b"Host", url.netloc),
            (b"Authorization", f"Bearer {_checked_secret(secret)}".encode()),
            (b"User-Agent", f"redo-connector/{__version__}".encode()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"Content-Type", b"application/json"),
        ]
        proxy = self._http.proxy(text)
        host = (proxy, url.scheme, url.netloc)
        if host not in self._pools:
            self._pools[host] = ConnectionPool(proxy, self._http.keep_alive)
        return _Store(url, headers, self._pools[host])

    async def push(self, order: Order) -> Outcome:
        """Create or replace an order (`POST /stores/{storeId}/custom/orders`)."""
        store = self._stores.get(order.store_id)
        if store is None:
            return _NO_STORE
        got = await self._request(store, "POST", store.orders_url, order.body, LARGEST_ANSWER)
        if isinstance(got, Outcome):
            return got
        redactor = Redactor(order.body, self._secrets)
        if got.status == 200 or not got.body:
            return pushed(got, order.order_id, redactor)
        # What Redo says about an order is compared with all of it, which may take half a second: too long for the loop.
        return await asyncio.to_thread(pushed, got, order.order_id, redactor)

    async def delete(self, place: Place) -> Outcome:
        """Remove an order (`DELETE /stores/{storeId}/orders/{orderId}`). ACCEPTED with reason `absent` when Redo has
        none."""
        got = await self._order_request("DELETE", place)
        return got if isinstance(got, Outcome) else deleted(got)

    async def read(self, place: Place) -> ReadBack:
        """What Redo holds for an order (`GET /stores/{storeId}/orders/{orderId}`)."""
        got = await self._order_request("GET", place)
        return ReadBack(got) if isinstance(got, Outcome) else read_back(got)

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    async def _order_request(self, method: str, place: Place) -> Outcome | Answer:
        store = self._stores.get(place.store_id)
        if store is None:
            return _NO_STORE
        url = order_url(store.orders_url, place.order_id)
        if url is None:
            return unanswered("no_address")
        return await self._request(store, method, url, b"", LARGEST_ORDER)

    async def _request(self, store: _Store, method: str, url: httpx.URL, body: bytes, most: int) -> Outcome | Answer:
        """The answer, of which at most `most` bytes are read, or the outcome of getting none."""
        headers = [*store.headers, (b"Content-Length", b"%d" % len(body))]
        stream = httpx.ByteStream(body) if len(body) <= PIECE else _Pieces(body)
        request = httpx.Request(method, url, headers=headers, stream=stream, extensions=self._extensions)
        began = time.perf_counter()
        got: Outcome | Answer
        try:
            async with self._limit, asyncio.timeout(2 * self._http.timeout):
                with store.pool.transport() as transport:
                    got = await _exchange(transport, request, most)
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            got = outcome_of_error(error)
        except Incomplete:
            got = unanswered("cut", "its compressed body ends early")
        if self._http.on_request is not None:
            code = got.reason if isinstance(got, Outcome) and got.status is None else str(got.status)
            self._http.on_request(method, code, time.perf_counter() - began)
        return got

    async def _trace(self, event: str, _: object) -> None:
        """httpx2's trace extension: called at each step of a request."""
        if self._http.on_connect is not None and event == "connection.connect_tcp.complete":
            self._http.on_connect()


class _Pieces(httpx.AsyncByteStream):
    """A long body in pieces, between which the event loop turns: as one it is copied, and encrypted, in one go."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), PIECE):
            yield self._body[at : at + PIECE]
            await asyncio.sleep(0)


async def _exchange(transport: httpx.AsyncHTTPTransport, request: httpx.Request, most: int) -> Outcome | Answer:
    """Raises httpx2's errors, OSError and Incomplete."""
    response = await transport.handle_async_request(request)
    stream = cast("httpx.AsyncByteStream", response.stream)
    try:
        parts, size = [], 0
        async for part in stream:
            parts.append(part)
            size += len(part)
            if size > most:
                break
    finally:
        await stream.aclose()
    try:
        coding = response.headers.get("content-encoding")
        body = decoded(b"".join(parts)[:most], coding, most, whole=size <= most)
    except Undecodable as error:
        if response.is_success:
            return unexpected(response.status_code, str(error))
        body = b""  # the status says enough
    return Answer(response.status_code, response.headers, body)


def _checked_secret(secret: str) -> str:
    if not re.fullmatch(r"[!-~]+", secret):
        hint = "it must be one line of printable ASCII characters without spaces; check how it was pasted"
        raise ConfigurationError([Problem("the API secret can't be sent", hint, "redo.api_secret")])
    return secret
