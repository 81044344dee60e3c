"""Order keys as text, and lists of texts as Postgres array literals.

Leaf of this room: no SQL, no catalog.
"""

from __future__ import annotations

import json
from collections.abc import Iterable


def decode(key: str, width: int) -> tuple[str, ...]:
    """The texts of a key of `width` columns. Raises ValueError when it isn't one."""
    if width == 1:
        return (key,)
    texts = json.loads(key)
    if not isinstance(texts, list) or len(texts) != width or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"an order key here is a JSON list of {width} texts")
    return tuple(texts)


def array_literal(texts: Iterable[str]) -> str:
    """`{"a","b"}` (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Sent as an untyped parameter, so
    that the server reads each element as the type it is cast to."""
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def quoted(*names: str) -> str:
    """A dotted SQL name, quoted."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
