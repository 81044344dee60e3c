"""Redo's addresses: where orders are pushed, read and deleted, when two addresses are the same, and the proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

import httpx2 as httpx

from connector.model.errors import ConfigurationError, Problem

BASE_URL: Final = "https://api.getredo.com/v2.2"

_SUFFIX: Final = "/custom/orders"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def orders_url(base_url: str, store_id: str) -> str:
    """Where a store's orders are pushed to."""
    return f"{base_url.rstrip('/')}/stores/{quote(store_id, safe='')}{_SUFFIX}"


def order_url(pushed_to: httpx.URL, order_id: str) -> httpx.URL | None:
    """Where one order is read and deleted, given where it is pushed to. None when that URL has another form than
    `orders_url` gives, or when the id would change the path."""
    url = str(pushed_to)
    if not url.endswith(_SUFFIX) or order_id in ("", ".", ".."):
        return None
    return httpx.URL(f"{url.removesuffix(_SUFFIX)}/orders/{quote(order_id, safe='')}")


def checked_url(text: str) -> httpx.URL:
    """Raises ConfigurationError for what is no HTTP URL, or has a user name or fragment."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.fragment:
        hint = f"use an https:// URL such as {BASE_URL}, without user name or fragment"
        raise ConfigurationError([Problem("Redo's address is not an HTTP URL", hint, "redo.base_url")])
    return url


def endpoint(url: str, store_id: str) -> str:
    """What checkpoints are bound to: a store's orders URL without store, query (it may hold a secret), default port and
    final slash, in one spelling of the host. A URL of another form stays whole.

    So an address given by `redo.base_url` and the same one given whole are equal. What DNS or a proxy makes of an
    address is not looked at. Raises ConfigurationError as `checked_url` does."""
    parts = checked_url(url)
    host = parts.raw_host.decode("ascii").lower().removesuffix(".")
    if ":" in host:
        host = f"[{host.strip('[]')}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    path = parts.raw_path.decode("ascii").partition("?")[0].rstrip("/")
    path = re.sub("%[0-9a-fA-F]{2}", lambda found: found[0].upper(), path)
    return f"{parts.scheme}://{host}{port}{path}".removesuffix(orders_url("", store_id))


def environment_proxy(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL, None for a direct connection.

    As urllib does, reads the names in either case and prefers lower case (an empty value switches the proxy off). With
    REQUEST_METHOD set (a CGI script, whose caller can set HTTP_PROXY by a header) only lower-case `http_proxy` counts.
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
