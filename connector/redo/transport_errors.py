"""httpx2's and the system's errors as Outcomes: was the request never sent, or may Redo have taken the order?"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

import httpx2 as httpx

from connector.model.errors import scarcity
from connector.model.orders import Outcome
from connector.redo.answers import unanswered

_NEVER_SENT: Final[Mapping[type[Exception], str]] = {
    httpx.ConnectTimeout: "connect_timeout",
    httpx.ConnectError: "connect",
    httpx.PoolTimeout: "pool_timeout",
    httpx.ProxyError: "proxy",
}
_MAYBE_SENT: Final[Mapping[type[Exception], str]] = {
    TimeoutError: "timeout",
    httpx.TimeoutException: "timeout",
    httpx.NetworkError: "cut",
    httpx.RemoteProtocolError: "cut",
    httpx.HTTPError: "protocol",
    OSError: "cut",
}
_UNKNOWN_NAME: Final = frozenset({socket.EAI_NONAME, socket.EAI_FAIL, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_BROKEN_OFF: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A handshake that the other side broke off, as a restarting server does: no fault of the certificates."""


def outcome_of_error(error: Exception) -> Outcome:
    """`error`: an httpx2.HTTPError or OSError. The detail never holds any part of a request."""
    if isinstance(error, httpx.ConnectError):
        return unanswered(_connecting(error), _described(error))
    for kinds, reason in _NEVER_SENT.items():
        if isinstance(error, kinds):
            # A proxy's message may hold anything, so only the error's class is shown.
            return unanswered(reason, type(error).__name__ if reason == "proxy" else _described(error))
    reason = next(reason for kind, reason in _MAYBE_SENT.items() if isinstance(error, kind))
    return unanswered(reason, type(error).__name__)


def _connecting(error: httpx.ConnectError) -> str:
    """The reason: an unknown name or a bad certificate has to be repaired by a person, the rest may pass."""
    if any(scarcity(cause) for cause in _causes(error)):
        return "exhausted"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return "connect" if isinstance(cause, _BROKEN_OFF) else "tls"
        if isinstance(cause, socket.gaierror):
            return "dns" if cause.errno in _UNKNOWN_NAME else "dns_temporary"
    return "connect"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes. Not `__context__`, which may be an error that the caller is handling. httpcore2's pool
    drops `__cause__`, but its errors have the system's as an argument."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        held = next((part for part in cause.args if isinstance(part, BaseException)), None)
        cause = cause.__cause__ or held


def _described(error: Exception) -> str:
    """The error's class and the system's message (host, port, errno)."""
    words = "".join(sign for sign in str(error) if sign.isprintable()).strip()[:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
