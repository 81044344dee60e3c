"""A lean stand-in for Redo, a process of its own: `python -m benchmarks.receiver --port 9000 --log FILE`.

It answers each push with the contract's 200, keeps the latest body of each order, and writes when it came: order id,
the machine's monotonic clock (s) when the body had arrived and when the answer was ready, a line each. It checks
nothing, neither the token nor the order: whoever measures with it judges what it kept. HTTP/1.1 with Content-Length
and keep-alive, TLS with a `--certificate`.

`GET /orders` shows the kept bodies, a line each; `GET /orders?every=100` those whose number 100 divides.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO, cast

import click
import orjson
import uvloop

FLUSH_EVERY: Final = 0.1
"""Seconds after which a line is in the file."""
_HEAD: Final = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"
_ID: Final = b'{"id":"'


class Kept:
    """The latest body of each order, and the log of pushes."""

    def __init__(self, log: TextIO) -> None:
        self.orders: dict[bytes, bytes] = {}
        self._log = log

    def push(self, body: bytes, arrived: float) -> bytes:
        """Keep an order. Returns the whole answer."""
        order_id = order_id_of(body)
        self.orders[order_id] = body
        text = b'{"message":"kept","orderId":"%s","redoId":"kept-%s"}' % (order_id, order_id)
        answer = _HEAD % (200, b"OK", len(text)) + text
        self._log.write(f"{order_id.decode()} {arrived:.6f} {time.monotonic():.6f}\n")
        return answer

    def show(self, target: bytes) -> bytes:
        """The answer to a GET of `/orders`, of all or of every so many."""
        every = int(target.partition(b"every=")[2] or 1)
        chosen = (body for name, body in self.orders.items() if every == 1 or int(name) % every == 0)
        text = b"".join(body + b"\n" for body in chosen)
        return _HEAD % (200, b"OK", len(text)) + text

    async def flush(self) -> None:
        """Write the log to its file, for ever."""
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            self._log.flush()


def order_id_of(body: bytes) -> bytes:
    """As it stands in the JSON, which mostly begins with it."""
    if body.startswith(_ID):
        return body[len(_ID) : body.index(b'"', len(_ID))]
    return orjson.dumps(orjson.loads(body)["id"])[1:-1]


class Connection(asyncio.Protocol):
    """One connection; requests follow each other."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._buffer = b""
        self._write: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.Transport", transport).write  # uvloop's own class isn't a subclass of it

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while (answer := self._next()) is not None:
            self._write(answer)

    def _next(self) -> bytes | None:
        """Take one whole request out of the buffer and answer it; None: there is none yet."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head, begin = self._buffer[:end], end + 4
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)
        if len(self._buffer) < begin + length:
            return None
        arrived = time.monotonic()
        body, self._buffer = self._buffer[begin : begin + length], self._buffer[begin + length :]
        verb, target, _ = head.split(b" ", 2)
        if verb == b"POST":
            return self._kept.push(body, arrived)
        return self._kept.show(target) if verb == b"GET" else _HEAD % (405, b"Method Not Allowed", 0)


async def serve(port: int, log: Path, certificate: Path | None) -> None:
    """Until SIGTERM."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    with log.open("w", encoding="utf-8") as lines:
        kept = Kept(lines)
        server = await loop.create_server(lambda: Connection(kept), "127.0.0.1", port, ssl=context)
        flushing = asyncio.create_task(kept.flush())
        await stop.wait()
        flushing.cancel()
        server.close()


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--certificate", type=click.Path(path_type=Path, dir_okay=False), help="Key and certificate in PEM form.")
def main(port: int, log: Path, certificate: Path | None) -> None:
    """Take orders in Redo's place."""
    uvloop.run(serve(port, log, certificate))


if __name__ == "__main__":
    main()
