"""Reads one HTTP/1.1 answer (RFC 9112) from the bytes of a connection, within bounds. No I/O.

llhttp takes the bytes apart, as liberally as RFC 9112 lets a client read: a line may end without CR or go on in the
next one, and `Transfer-Encoding` beats `Content-Length`.
"""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

LARGEST_HEAD: Final = 100 * 1024
"""Bytes of an answer besides its body: status lines, headers, the framing of chunks."""


class Malformed(Exception):
    """The bytes are no answer. The message is for people and holds nothing of them."""


class AnswerReader:
    """`most`: bytes of a body that are read. `connect`: the request is a CONNECT, whose answer has no body.

    `complete`: all of the answer is there, or as much as is read. `reusable`: the connection is ready for the next
    request. `whole`: the body is no longer than `most`. `headers`: names in lower case, repeated ones joined.
    """

    def __init__(self, most: int, *, connect: bool = False) -> None:
        self.complete = False
        self.reusable = False
        self.whole = True
        self.status = 0
        self.headers: dict[str, str] = {}
        self._most = most
        self._connect = connect
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0
        self._in_head = True
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    @property
    def body(self) -> bytes:
        """At most `most` bytes."""
        return b"".join(self._parts)[: self._most]

    def feed(self, data: bytes) -> None:
        """What arrived. Raises Malformed."""
        if self.complete:
            self.reusable = False
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.complete:
                raise Malformed("it is not HTTP/1.1" if self._in_head else "its body is damaged") from error
            self.reusable = False  # more than one answer
        if not self.complete and self._received > LARGEST_HEAD + self._size + self._most:
            raise Malformed("its headers are too large")

    def end(self) -> bool:
        """Nothing more arrives. Whether the answer is complete: the end of a body without a length is the
        connection's."""
        framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        self.complete = self.complete or not (self._in_head or framed)
        return self.complete

    def close(self) -> None:
        """Nothing is fed any more. The parser knows the reader, so they would only be freed together, by a collection
        of garbage."""
        del self._parser

    # What llhttp calls. An error raised here ends its reading.

    def on_message_begin(self) -> None:
        if self.complete:
            raise Malformed
        self.headers.clear()  # an interim answer's

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 100 or self.status == 101:  # nobody asked for another protocol
            raise Malformed
        self._in_head = self.status < 200
        if self._connect and not self._in_head:
            self.complete, self.reusable = True, self.status < 300

    def on_body(self, data: bytes) -> None:
        if self.complete:
            raise Malformed
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._most:
            self.complete, self.whole = True, False
            raise Malformed

    def on_message_complete(self) -> None:
        if not self._in_head and not self.complete:
            self.complete = True
            ambiguous = "content-length" in self.headers and "transfer-encoding" in self.headers
            self.reusable = self._parser.should_keep_alive() and not ambiguous
