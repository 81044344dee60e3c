"""Reads the machine's certificates once a process: it takes 30 ms, and each HTTP client of a test would do it again.

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
_read_once = functools.cache(_read)


def _context(*, _trust_env: bool = True) -> ssl.SSLContext:
    """A test that names certificates of its own gets those."""
    named = any(map(os.environ.get, _NAMED))
    return _read(_trust_env=_trust_env) if named else _read_once(_trust_env=_trust_env)


httpcore2.default_ssl_context = _context
_read_once(_trust_env=True)
_read_once(_trust_env=False)
