"""Pushes, reads and deletes orders at Redo over HTTP. Never raises for anything that the network or Redo does.

Makes one request each and never tries again: that is the pipeline's business.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx2 as httpx

from connector import __version__
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import Order, Outcome, Place
from connector.redo.addresses import checked_url, order_url
from connector.redo.answer_reader import AnswerReader
from connector.redo.answers import Answer, ReadBack, deleted, pushed, read_back, unanswered, unexpected
from connector.redo.connection import NoAnswer, Permit
from connector.redo.connection_pool import KEEP_ALIVE, ConnectionPool, checked_proxy, trusted_certificates
from connector.redo.content_encoding import Incomplete, Undecodable, decoded
from connector.redo.dialer import Dialer
from connector.redo.redaction import Redactor

LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer to a push that are read; documented answers are far smaller."""
LARGEST_ORDER: Final = 8 * 1024 * 1024
"""Bytes of an order read back."""

_NO_STORE: Final = unanswered("no_store")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How requests are made, to all stores."""

    timeout: float = 30.0
    """Seconds for connecting, and without progress in sending or receiving; a whole request may take twice as long."""
    max_connections: int = 32
    """Requests at the same time, to all hosts together."""
    keep_alive: float = KEEP_ALIVE
    """Seconds that an idle connection is kept."""
    permit: Permit | None = None
    """Awaited last before a request is sent, and before the last byte of a long one: false when it must not be any
    more."""
    proxy: Callable[[str], str | None] = lambda _: None
    """The proxy for a URL, None for a direct connection."""
    on_request: Callable[[str, str, float], None] | None = None
    """Called after each request with the method, the status code or the reason there was none, and the seconds."""
    on_connect: Callable[[], None] | None = None
    """Called for each new connection."""


@dataclass(frozen=True, slots=True)
class _Store:
    orders_url: httpx.URL
    headers: bytes = field(repr=False)
    post: bytes = field(repr=False)
    """The head of a push, up to its length."""
    dialer: Dialer
    pool: ConnectionPool


class RedoClient:
    """A client for all stores; implements `Redo` of `connector.pipeline.ports`.

    `stores`: by store id, the URL that orders are pushed to and the API secret. Raises ConfigurationError for a URL,
    secret, proxy or certificates that can't be used.
    """

    def __init__(self, stores: Mapping[str, tuple[str, str]], http: HttpSettings | None = None) -> None:
        self._http = http or HttpSettings()
        self._limit = asyncio.Semaphore(self._http.max_connections)
        self._tls = trusted_certificates()
        self._pools: dict[tuple[str | None, str, bytes], tuple[Dialer, ConnectionPool]] = {}
        self._secrets = [secret for _, secret in stores.values()]
        self._stores = {store_id: self._store(url, secret) for store_id, (url, secret) in stores.items()}

    def _store(self, text: str, secret: str) -> _Store:
        url, http = checked_url(text), self._http
        lines = (
            f"Authorization: Bearer {_checked_secret(secret)}",
            f"User-Agent: redo-connector/{__version__}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "Content-Type: application/json",
            "Content-Length: ",
        )
        headers = "\r\n".join(lines).encode()
        proxy = http.proxy(text)
        host = (proxy, url.scheme, url.netloc)
        if host not in self._pools:
            by = None if proxy is None else checked_proxy(proxy)
            dialer = Dialer(url, by, self._tls, http.timeout, http.on_connect)
            self._pools[host] = dialer, ConnectionPool(dialer, http.timeout, http.keep_alive, http.permit)
        dialer, pool = self._pools[host]
        return _Store(url, headers, dialer.head("POST", url, headers), dialer, pool)

    async def push(self, order: Order) -> Outcome:
        """Create or replace an order (`POST /stores/{storeId}/custom/orders`)."""
        store = self._stores.get(order.store_id)
        if store is None:
            return _NO_STORE
        got = await self._request(store, "POST", store.post, order.body, LARGEST_ANSWER)
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
        for _, pool in self._pools.values():
            await pool.aclose()

    async def _order_request(self, method: str, place: Place) -> Outcome | Answer:
        store = self._stores.get(place.store_id)
        if store is None:
            return _NO_STORE
        url = order_url(store.orders_url, place.order_id)
        if url is None:
            return unanswered("no_address")
        return await self._request(store, method, store.dialer.head(method, url, store.headers), b"", LARGEST_ORDER)

    async def _request(self, store: _Store, method: str, head: bytes, body: bytes, most: int) -> Outcome | Answer:
        """The answer, of which at most `most` bytes are read, or the outcome of getting none. `head`: up to the body's
        length."""
        began = time.perf_counter()
        got: Outcome | Answer
        try:
            async with self._limit:
                reader = await store.pool.exchange(b"%b%d\r\n\r\n" % (head, len(body)), body, most)
            got = _decoded(reader, most)
        except NoAnswer as error:
            got = unanswered(error.reason, error.detail)
        if self._http.on_request is not None:
            code = got.reason if isinstance(got, Outcome) and got.status is None else str(got.status)
            self._http.on_request(method, code, time.perf_counter() - began)
        return got


def _decoded(reader: AnswerReader, most: int) -> Outcome | Answer:
    try:
        coding = reader.headers.get("content-encoding")
        body = decoded(reader.body, coding, most, whole=reader.whole)
    except Incomplete:
        return unanswered("cut", "its compressed body ends early")
    except Undecodable as error:
        if 200 <= reader.status < 300:
            return unexpected(reader.status, str(error))
        body = b""  # the status says enough
    return Answer(reader.status, reader.headers, body)


def _checked_secret(secret: str) -> str:
    if not re.fullmatch(r"[!-~]+", secret):
        hint = "it must be one line of printable ASCII characters without spaces; check how it was pasted"
        raise ConfigurationError([Problem("the API secret can't be sent", hint, "redo.api_secret")])
    return secret
