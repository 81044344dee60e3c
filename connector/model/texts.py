"""Text from outside, as it may be kept: no NUL (which Postgres refuses), no half of a surrogate pair (which UTF-8 can't
carry), and no longer than is sensible.

Leaf module: no I/O.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_HEAD: Final = 4
"""Bytes in which UTF-16 of a Western text shows without a byte order mark."""


def is_storable(text: str) -> bool:
    """Whether every store, log and answer can hold it as it is."""
    return _UNSTORABLE.search(text) is None


def storable(text: str, most: int) -> str:
    """Its first `most` characters, U+FFFD for those that can't be kept."""
    return _UNSTORABLE.sub("\ufffd", text[:most])


def decoded(data: bytes) -> str:
    """What a person saved as UTF-8, with or without a byte order mark. Raises ValueError, in words that go on from the
    file's name."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:_HEAD]:
        raise ValueError("is saved as UTF-16, not as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
