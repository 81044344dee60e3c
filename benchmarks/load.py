"""The load, a process of its own: single-row commits at a fixed beat, each to another order, each seen by Redo.

Reads a Plan as JSON from stdin and writes one line an order to stdout: its id and the monotonic clock (s) just before
COMMIT was sent and just after it returned. Must not know the connector. The beat is open: a commit that is late does
not delay the ones after it, as long as one of the connections is free.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

CONNECTIONS = 8
"""More than enough to keep the beat while commits wait for the disk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate`: commits a second. `mark` is written into the rows, so it must differ from what they hold."""

    dsn: str
    rate: float
    orders: tuple[int, ...]
    mark: str

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> Plan:
        fields = json.loads(text)
        return cls(fields["dsn"], fields["rate"], tuple(fields["orders"]), fields["mark"])


@dataclass(frozen=True, slots=True)
class Done:
    """One commit; times are the machine's monotonic clock (s)."""

    order: int
    sent: float
    returned: float


def play(plan: Plan) -> list[Done]:
    """Carry out the plan; blocks as long as it takes."""
    done: list[Done] = []
    connections = [psycopg.connect(plan.dsn) for _ in range(CONNECTIONS)]
    start = time.monotonic() + 0.1
    beats = [(start + at / plan.rate, order) for at, order in enumerate(plan.orders)]
    workers = [
        threading.Thread(target=_work, args=(connection, beats[number::CONNECTIONS], plan.mark, done))
        for number, connection in enumerate(connections)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for connection in connections:
        connection.close()
    if len(done) < len(beats):
        raise RuntimeError("a connection of the load failed; its message is above")
    return done


def _work(connection: psycopg.Connection[Any], beats: Sequence[tuple[float, int]], mark: str, done: list[Done]) -> None:
    for beat, order in beats:
        if (pause := beat - time.monotonic()) > 0:
            time.sleep(pause)
        connection.execute("UPDATE oms.order_header SET tag_list = %s WHERE ord_id = %s", (mark, order))
        sent = time.monotonic()
        connection.commit()
        done.append(Done(order, sent, time.monotonic()))


def main() -> None:
    for each in play(Plan.load(sys.stdin.buffer.read())):
        sys.stdout.write(json.dumps(asdict(each)) + "\n")


if __name__ == "__main__":
    main()
