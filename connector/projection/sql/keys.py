"""Order keys as text, and lists of texts as Postgres array literals.

Leaf of this room: no SQL, no catalog.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from connector.model.orders import OrderKey, is_former


def decode(key: str, width: int) -> tuple[str, ...]:
    """The texts of a key of `width` columns. Raises ValueError when it isn't one."""
    texts = _texts(key) if width > 1 else [key]
    if not isinstance(texts, list) or len(texts) != width or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"an order key here is a JSON list of {width} texts")
    if is_former(OrderKey(key)) or any("\0" in text for text in texts):
        raise ValueError("no column's value")
    for text in texts:
        text.encode()  # half a surrogate pair is no text
    return tuple(texts)


def _texts(key: str) -> object:
    try:
        return json.loads(key)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def array_literal(texts: Iterable[str]) -> str:
    """`{"a","b"}` (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Sent as an untyped parameter, so
    that the server reads each element as the type it is cast to."""
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def quoted(*names: str) -> str:
    """A dotted SQL name, quoted."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
