"""Reads the machine's certificates once a process: it takes 50 ms, and each HTTP client of a test would do it again.

Imported by conftest.py, and by the process that `processes/forked.py` forks programs from.
"""

from __future__ import annotations

import functools
import os
import ssl
from typing import Final

import httpcore2

_NAMED: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_read = httpcore2.default_ssl_context


@functools.cache
def _read_once(trust_env: bool, _named: tuple[str | None, ...]) -> ssl.SSLContext:
    return _read(_trust_env=trust_env)


def _context(*, _trust_env: bool = True) -> ssl.SSLContext:
    """A test that names certificates of its own gets those."""
    return _read_once(_trust_env, tuple(map(os.environ.get, _NAMED)))


httpcore2.default_ssl_context = _context
_context(_trust_env=True)
_context(_trust_env=False)
