"""A Redo whose connections break at random bytes, in threads with sockets of their own.

A relay in front of the server passes bytes on, in clear or encrypted as they are, until one of them is its last.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tests.support.redo_servers import accepting

PATIENCE: Final = 20.0


@dataclass
class Arrived:
    """What the server saw. `whole`: how often a request arrived whole, by the order's id."""

    port: int = 0
    whole: Counter[str] = field(default_factory=Counter)


def _answer(sock: socket.socket, tls: ssl.SSLContext | None, arrived: Arrived) -> None:
    with sock, suppress(OSError), tls.wrap_socket(sock, server_side=True) if tls else sock as peer:
        peer.settimeout(PATIENCE)
        got = b""
        while data := peer.recv(65536):
            got += data
            head, found, body = got.partition(b"\r\n\r\n")
            if found and len(body) == int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
                order_id, got = json.loads(body)["id"], b""
                arrived.whole[order_id] += 1
                peer.sendall(accepting(order_id))


def _pass_on(source: socket.socket, target: socket.socket, left: int) -> None:
    with suppress(OSError):
        while left > 0 and (data := source.recv(min(left, 65536))):
            left -= len(data)
            target.sendall(data)
    for sock in (source, target):  # wakes the other direction
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RD)


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _relay(sock: socket.socket, port: int, chance: random.Random) -> None:
    """Refuses some connections and breaks the others after 1 to 15,000 bytes, by RST or FIN, either side first."""
    if chance.random() < 0.1:
        _reset(sock)
        return
    to = socket.create_connection(("127.0.0.1", port))
    for each in (sock, to):
        each.settimeout(PATIENCE)
    lefts = [int(10 ** chance.uniform(0, 4.2)) for _ in range(2)]
    ends = [(side, chance.choice([_reset, socket.socket.close])) for side in chance.sample([sock, to], 2)]
    back = threading.Thread(target=_pass_on, args=(to, sock, lefts[0]))
    back.start()
    _pass_on(sock, to, lefts[1])
    back.join()
    for side, close in ends:
        close(side)


@contextmanager
def _accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port on which each connection is served in a thread of its own."""
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(sock,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextmanager
def breaking_redo(seed: int, tls: ssl.SSLContext | None = None, *, breaks: bool = True) -> Iterator[Arrived]:
    """`breaks`: else its connections last."""
    arrived, chance = Arrived(), random.Random(seed)  # noqa: S311 -- a test's
    with (
        _accepting(lambda sock: _answer(sock, tls, arrived)) as port,
        _accepting(lambda sock: _relay(sock, port, chance)) as relayed,
    ):
        arrived.port = relayed if breaks else port
        yield arrived
