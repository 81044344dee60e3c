"""Text of a database that isn't in UTF-8, byte for byte.

Where the server converts to UTF-8, one byte without an equivalent ends the stream, again and again; and a database in
SQL_ASCII converts nothing and may hold anything. So text in SQL_ASCII and in the encodings of one byte a character is
taken as it is stored, and read here. Leaf module: no I/O.
https://www.postgresql.org/docs/current/multibyte.html
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Final

CODECS: Final[Mapping[str, str]] = {
    "SQL_ASCII": "utf-8",
    **{f"LATIN{number}": f"iso8859-{part}" for number, part in enumerate((1, 2, 3, 4, 9, 10, 13, 14, 15, 16), 1)},
    **{f"ISO_8859_{part}": f"iso8859-{part}" for part in (5, 6, 7, 8)},
    **{f"WIN{number}": f"cp{number}" for number in (866, 874, *range(1250, 1259))},
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
}
"""By the server's name for the encoding: Python's. Those of more bytes a character are left to the server, whose tables
differ from Python's."""

_HALF: Final = "surrogateescape"
_BYTE: Final = re.compile("[\udc80-\udcff]+")
# surrogateescape marks a byte that is no text by half of a surrogate pair, which no store takes; U+EF80 to
# U+EFFF take its place. Where a text has such a character of its own, its bytes are marked instead.
_STORABLE: Final = {
    **{0xDC00 + byte: chr(0xEF00 + byte) for byte in range(0x80, 0x100)},
    **{
        0xEF00 + byte: "".join(chr(0xEF00 + each) for each in chr(0xEF00 + byte).encode())
        for byte in range(0x80, 0x100)
    },
}
_HALVES: Final = {0xEF00 + byte: 0xDC00 + byte for byte in range(0x80, 0x100)}


class Charset:
    """How one database's bytes are read. `fallback`: the encoding of what isn't text otherwise, for documents."""

    def __init__(self, codec: str, fallback: str | None = None) -> None:
        self._codec = codec
        self._fallback = fallback

    def read(self, raw: bytes) -> str:
        """For keys and names: any bytes, in a form that `write` turns back and UTF-8 can carry."""
        text = raw.decode(self._codec, _HALF)
        return text if text.isascii() else text.translate(_STORABLE)

    def write(self, text: str) -> bytes:
        """The bytes that `read` read. Raises UnicodeEncodeError for what the encoding doesn't have."""
        return text.encode(self._codec) if text.isascii() else self._bytes(text)

    def document(self, text: str) -> str:
        """What `read` read, for other eyes than ours: bytes that are no text by the fallback, else as halves of a
        surrogate pair, which nobody takes for text."""
        if text.isascii():
            return text
        text = self._bytes(text).decode(self._codec, _HALF)
        fallback = self._fallback
        if fallback is None:
            return text
        return _BYTE.sub(lambda found: found[0].encode("ascii", _HALF).decode(fallback, _HALF), text)

    def _bytes(self, text: str) -> bytes:
        return text.translate(_HALVES).encode(self._codec, _HALF)


def charset_of(server_encoding: str | None, fallback: str | None = None) -> Charset | None:
    """None when text comes in UTF-8: it's stored so, or the server converts it."""
    codec = CODECS.get(server_encoding or "")
    return None if codec is None else Charset(codec, fallback)


def known_fallback(name: str) -> bool:
    """Whether it names an encoding of one byte a character."""
    try:
        return codecs.lookup(name).name in {codecs.lookup(codec).name for codec in CODECS.values()} - {"utf-8"}
    except LookupError:
        return False
