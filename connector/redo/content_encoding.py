"""Decompression of an answer's body, to a bounded size (`Content-Encoding`, RFC 9110, 8.4). No I/O.

The client asks for no compression, but a proxy or CDN may compress all the same.
"""

from __future__ import annotations

import zlib
from typing import Final

_PLAIN: Final = frozenset({"", "identity"})
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_OTHERS: Final = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "aes128gcm", "exi", "pack200-gzip"})
_MOST: Final = 5
"""Codings applied one after the other."""
_MAGIC: Final = b"\x1f\x8b"


class Undecodable(Exception):
    """The body can't be decoded. The message is for people and holds nothing of the answer."""


class Incomplete(Exception):
    """The compressed body ends early, as if the connection had been cut."""


def decoded(body: bytes, content_encoding: str | None, most: int, *, whole: bool = True) -> bytes:
    """At most `most` bytes of the decoded body. `whole`: all of the body is given, not only its beginning. Raises
    Undecodable, Incomplete."""
    codings = [name.strip().lower() for name in (content_encoding or "").split(",")]
    wanted = [name for name in reversed(codings) if name not in _PLAIN]
    if len(wanted) > _MOST:
        raise Undecodable(f"it is coded {len(wanted)} times over")
    if unknown := next((name for name in wanted if name not in _GZIP and name != "deflate"), None):
        named = unknown if unknown in _OTHERS else "one that HTTP doesn't know"
        raise Undecodable(f"its content coding, {named}, can't be read, and none was asked for")
    for name in wanted:
        inflate = _gunzipped if name in _GZIP else _inflated
        try:
            body, whole = inflate(body, most, whole)
        except zlib.error:
            raise Undecodable(f"its content coding, {'gzip' if name in _GZIP else name}, is damaged") from None
    return body[:most]


def _gunzipped(body: bytes, most: int, whole: bool) -> tuple[bytes, bool]:
    """All gzip members; bytes after them are padding."""
    parts: list[bytes] = []
    size = 0
    if body and not body.startswith(_MAGIC[: len(body)]):
        return body, whole  # a proxy has decoded it and left the header
    while body.startswith(_MAGIC[: len(body)]) and size <= most:
        part, rest, ended = _run(zlib.decompressobj(16 + zlib.MAX_WBITS), body, most + 1 - size, whole)
        parts.append(part)
        size += len(part)
        if not ended or not rest:
            return b"".join(parts), ended
        body = rest
    return b"".join(parts), size <= most


def _inflated(body: bytes, most: int, whole: bool) -> tuple[bytes, bool]:
    """With zlib's header, as HTTP requires, or without, as some servers send it."""
    try:
        part, _, ended = _run(zlib.decompressobj(), body, most + 1, whole)
    except zlib.error:
        part, _, ended = _run(zlib.decompressobj(-zlib.MAX_WBITS), body, most + 1, whole)
    return part, ended


def _run(machine: zlib._Decompress, body: bytes, most: int, whole: bool) -> tuple[bytes, bytes, bool]:
    """The output, the rest of the input, and whether the stream's end was reached. Raises zlib.error, Incomplete."""
    part = machine.decompress(body, most)
    if not machine.eof and len(part) < most and whole and body:
        raise Incomplete
    return part, machine.unused_data, machine.eof
