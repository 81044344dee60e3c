"""HTTP responses: the security headers that all carry, and the refusal of requests for another host."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connector.status.page import render

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy: nothing but our own files."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Cache-Control": "no-store",
}


def as_json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, HEADERS, "application/json")


def html(text: str, status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, {**HEADERS, **(more or {})}, "text/html")


def message_page(status: int, title: str, text: str) -> Response:
    """A page that says one thing."""
    return html(render.sentence(title, text), status)


def is_known_host(host: str, names: Sequence[str]) -> bool:
    """Whether a browser that asked for this host (and port) surely meant us. A page of somebody else's can have its own
    name lead here (DNS rebinding); it can't have an address, nor a name without a dot."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    name = name.strip("[]").rstrip(".").casefold()
    if "." not in name and ":" not in name:
        return bool(name)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in {known.casefold() for known in names}
    return True


def refuse_foreign_host(request: Request, names: Sequence[str]) -> Response | None:
    """What to answer to somebody who asked for another host."""
    if is_known_host(request.headers.get("host", ""), names):
        return None
    text = "This page was asked for by a name that it doesn't know. Add the name to status.hosts, or use the address."
    return message_page(421, "Not here", text)
