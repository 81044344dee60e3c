"""What kept a request from its answer: httpx2's errors to Outcomes. Nothing that fails before a connection stands can
have been taken."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

import httpx2 as httpx

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
"""A handshake that the other side broke off says nothing about certificates: a server that restarts does that."""


def trouble(error: Exception) -> Outcome:
    """The outcome of a request that ended in an error of httpx2 or of the system."""
    if isinstance(error, httpx.ConnectError):
        return unanswered(_connecting(error), _described(error))
    for kinds, reason in _NEVER_SENT.items():
        if isinstance(error, kinds):
            # A proxy's words are its own, and may be anything.
            return unanswered(reason, type(error).__name__ if reason == "proxy" else _described(error))
    reason = next(reason for kind, reason in _MAYBE_SENT.items() if isinstance(error, kind))
    return unanswered(reason, type(error).__name__)


def _connecting(error: httpx.ConnectError) -> str:
    """Names and certificates don't mend themselves, the rest may: they are told apart."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return "connect" if isinstance(cause, _BROKEN_OFF) else "tls"
        if isinstance(cause, socket.gaierror):
            return "dns" if cause.errno in _UNKNOWN_NAME else "dns_temporary"
    return "connect"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Only what is named as the cause: the context may be an error that the caller is dealing with. httpcore2's pool
    cuts off `__cause__`, but its errors carry the system's as their argument."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        held = next((part for part in cause.args if isinstance(part, BaseException)), None)
        cause = cause.__cause__ or held


def _described(error: Exception) -> str:
    """The error's class and the system's words (host, port, errno): no part of a request."""
    words = "".join(sign for sign in str(error) if sign.isprintable()).strip()[:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
