"""Text from outside, as it may be kept: no NUL (which Postgres refuses), no half of a surrogate pair (which UTF-8 can't
carry), and no longer than is sensible.

Leaf module: no I/O.
"""

from __future__ import annotations

import re
from typing import Final

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether every store, log and answer can hold it as it is."""
    return _UNSTORABLE.search(text) is None


def storable(text: str, most: int) -> str:
    """Its first `most` characters, U+FFFD for those that can't be kept."""
    return _UNSTORABLE.sub("\ufffd", text[:most])
