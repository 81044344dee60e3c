"""A name server that knows one name, with the addresses that it was given. Every question is taken for that name's."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

_A: Final = 1
_HEAD: Final = 12
"""Bytes of a message before its question: https://www.rfc-editor.org/rfc/rfc1035#section-4.1.1"""


@contextmanager
def name_server(addresses: Sequence[str]) -> Iterator[int]:
    """In a thread; yields its UDP port on the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(server, addresses))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()


def _serve(server: socket.socket, addresses: Sequence[str]) -> None:
    """Until an empty message comes."""
    while True:
        query, peer = server.recvfrom(4_096)
        if not query:
            return
        server.sendto(_answer(query, addresses), peer)


def _answer(query: bytes, addresses: Sequence[str]) -> bytes:
    end = query.index(b"\0", _HEAD) + 5
    wants = int.from_bytes(query[end - 4 : end - 2])
    known = [ipaddress.IPv4Address(each).packed for each in addresses] if wants == _A else []
    # A pointer to the name asked for, type A, class IN, a second to live.
    records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + each for each in known)
    return query[:2] + b"\x81\x80\0\1" + len(known).to_bytes(2) + b"\0\0\0\0" + query[_HEAD:end] + records
