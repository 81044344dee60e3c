"""Pushes orders to Redo over HTTP and says what came of it; never raises for what the network or Redo does.

Does not try again: that is the pipeline's business. Satisfies `Redo` of `pipeline.ports`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

import httpx2 as httpx

from connector import __version__
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import Order, Outcome, OutcomeKind
from connector.redo.answers import failed, parsed, pushed, strange, unanswered
from connector.redo.connection_pool import Lanes
from connector.redo.content_encoding import Incomplete, Undecodable, decoded
from connector.redo.redaction import Words
from connector.redo.transport_errors import trouble

BASE_URL: Final = "https://api.getredo.com/v2.2"
LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer to a push that are read; documented answers are far smaller."""
LARGEST_ORDER: Final = 8 * 1024 * 1024
"""Bytes of an order read back."""

_SUFFIX: Final = "/custom/orders"
OnRequest: TypeAlias = Callable[[str, str, float], None]
"""Told of each request: method, status code or the reason there was none, seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An order read back: `order` is Redo's JSON. None: not read, or ACCEPTED with reason `absent`, Redo has none."""

    outcome: Outcome
    order: Mapping[str, Any] | None = None


def orders_url(base_url: str, store_id: str) -> str:
    """Where a store's orders are pushed to."""
    return f"{base_url.rstrip('/')}/stores/{quote(store_id, safe='')}{_SUFFIX}"


def environment_proxy(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL, None for a direct connection.

    As urllib reads them: in either case, the lower-case one counts (an empty one switches it off), and with
    REQUEST_METHOD (a CGI script, where a caller sets HTTP_PROXY) only lower-case `http_proxy` does.
    """
    parts = checked_url(url)
    proxies = {name.lower()[:-6]: value for name, value in environment.items() if name.lower().endswith("_proxy")}
    if "REQUEST_METHOD" in environment:
        proxies.pop("http", None)
    proxies |= {name[:-6]: value for name, value in environment.items() if name.endswith("_proxy")}
    if proxy_bypass_environment(parts.netloc.decode("ascii"), proxies):
        return None
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found:
        return None
    return found if "://" in found else f"http://{found}"


class RedoClient:
    """A client for one store.

    `orders_url` is the whole endpoint; `timeout` (s) bounds connecting, each read and each write, and half of the
    whole request. `secrets` are further ones that no message may repeat. Raises ConfigurationError for a URL or secret
    that can't be sent.
    """

    def __init__(
        self,
        orders_url: str,
        api_secret: str,
        *,
        timeout: float = 30.0,
        max_connections: int = 32,
        lanes: Lanes | None = None,
        on_request: OnRequest | None = None,
        secrets: Sequence[str] = (),
        user_agent: str = f"redo-connector/{__version__}",
    ) -> None:
        self._url = checked_url(orders_url)
        self._secrets = (_checked_secret(api_secret), *secrets)
        self._timeout = timeout
        self._lanes = lanes or Lanes(max_connections)
        self._phases: dict[str, Any] = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout)}
        if self._lanes.traced:
            self._phases["trace"] = self._lanes.trace
        self._told = on_request
        self._headers = [
            (b"Host", self._url.netloc),
            (b"Authorization", f"Bearer {api_secret}".encode()),
            (b"User-Agent", user_agent.encode()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"Content-Type", b"application/json"),
        ]

    def __repr__(self) -> str:
        return f"RedoClient({str(self._url)!r})"

    async def push(self, order: Order) -> Outcome:
        """Create or update one order: one request."""
        got = await self._request("POST", self._url, order.body, LARGEST_ANSWER)
        if isinstance(got, Outcome):
            return got
        status, headers, body = got
        return pushed(status, headers, body, order.order_id, Words(order.body, self._secrets))

    async def read(self, order_id: str) -> Answer:
        """What Redo holds for our order id (`orders-api-get-order-response`)."""
        got = await self._order_request("GET", order_id)
        if isinstance(got, Outcome):
            return Answer(got)
        status, body = got
        order = _json(body)
        if not isinstance(order, dict):
            return Answer(strange(status))
        return Answer(Outcome(OutcomeKind.ACCEPTED, status, f"http_{status}"), order)

    async def delete(self, order_id: str) -> Outcome:
        """Remove an order (`orders-api-delete-order-response`). ACCEPTED with reason `absent` when Redo has none."""
        got = await self._order_request("DELETE", order_id)
        if isinstance(got, Outcome):
            return got
        status, body = got
        if parsed(body).get("success") is not True:
            return strange(status)
        return Outcome(OutcomeKind.ACCEPTED, status, f"http_{status}")

    def order_url(self, order_id: str) -> str | None:
        """Where one order is read and deleted; None when the endpoint or the id allow no such address."""
        url = str(self._url)
        if not url.endswith(_SUFFIX) or order_id in ("", ".", ".."):
            return None
        return f"{url.removesuffix(_SUFFIX)}/orders/{quote(order_id, safe='')}"

    async def aclose(self) -> None:
        await self._lanes.aclose()

    async def _order_request(self, method: str, order_id: str) -> Outcome | tuple[int, bytes]:
        """Success as status and body, anything else as its Outcome."""
        url = self.order_url(order_id)
        if url is None:
            return unanswered("no_address")
        got = await self._request(method, httpx.URL(url), b"", LARGEST_ORDER)
        if isinstance(got, Outcome):
            return got
        status, headers, body = got
        if status == 200:
            return status, body
        if status == 404 and isinstance(parsed(body).get("error"), str):
            return unanswered("absent", status=status)
        # What Redo holds may be an older version, which its words may quote: none are kept.
        return failed(status, headers, body, Words(None, self._secrets))

    async def _request(self, method: str, url: httpx.URL, body: bytes, most: int) -> Outcome | _Got:
        began = time.perf_counter()
        try:
            async with self._lanes.lane() as transport, asyncio.timeout(2 * self._timeout):
                got = await self._exchange(transport, method, url, body, most)
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            outcome = trouble(error)
            self._tell(method, outcome.reason, began)
            return outcome
        except Incomplete:
            self._tell(method, "cut", began)
            return unanswered("cut", "its compressed body ends early")
        except _Unreadable as error:
            self._tell(method, str(error.status), began)
            return strange(error.status, error.why)
        self._tell(method, str(got[0]), began)
        return got

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, method: str, url: httpx.URL, body: bytes, most: int
    ) -> _Got:
        headers = [*self._headers, (b"Content-Length", b"%d" % len(body))]
        request = httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(body), extensions=self._phases)
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
        coding, whole = response.headers.get("content-encoding"), size <= most
        try:
            content = decoded(b"".join(parts)[:most], coding, most, whole=whole)
        except Undecodable as error:
            if response.is_success:
                raise _Unreadable(response.status_code, str(error)) from None
            content = b""  # what is wrong is told by the status
        return response.status_code, response.headers, content

    def _tell(self, method: str, code: str, began: float) -> None:
        if self._told is not None:
            self._told(method, code, time.perf_counter() - began)


_Got: TypeAlias = tuple[int, Mapping[str, str], bytes]


class _Unreadable(Exception):
    """A success whose body is in a coding that can't be read."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def checked_url(text: str) -> httpx.URL:
    """An endpoint's URL. Raises ConfigurationError for one that can't be asked."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.fragment:
        hint = f"use an https:// URL such as {BASE_URL}, without user name or fragment"
        raise ConfigurationError([Problem("Redo's address is not an HTTP URL", hint, "redo.base_url")])
    return url


def _checked_secret(secret: str) -> str:
    if not re.fullmatch(r"[!-~]+", secret):
        hint = "it must be one line of printable ASCII characters without spaces; check how it was pasted"
        raise ConfigurationError([Problem("the API secret can't be sent", hint, "redo.api_secret")])
    return secret
