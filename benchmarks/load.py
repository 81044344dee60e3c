"""The load, a process of its own: single-row commits at a fixed beat, each to another row, each seen by Redo.

Reads a Plan as JSON from stdin and writes one line a commit to stdout: its row and the monotonic clock (s) just before
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
from typing import Any, TypeAlias

import psycopg

CONNECTIONS = 8
"""More than enough to keep the beat while commits wait for the disk."""


ORDER, CUSTOMER = "order", "customer"
"""What a commit changes: an order's own row, or a row that all orders of a customer show."""
_CHANGES = {
    ORDER: "UPDATE oms.order_header SET tag_list = %s WHERE ord_id = %s",
    CUSTOMER: "UPDATE oms.customer SET last_nm = %s WHERE cust_id = %s",
}

Row: TypeAlias = tuple[str, int]
"""Its kind and its number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate`: commits a second. `mark` is written into the rows, so it must differ from what they hold."""

    dsn: str
    rate: float
    rows: tuple[Row, ...]
    mark: str

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> Plan:
        fields = json.loads(text)
        return cls(fields["dsn"], fields["rate"], tuple(map(tuple, fields["rows"])), fields["mark"])


@dataclass(frozen=True, slots=True)
class Done:
    """One commit; times are the machine's monotonic clock (s)."""

    kind: str
    number: int
    sent: float
    returned: float


def play(plan: Plan) -> list[Done]:
    """Carry out the plan; blocks as long as it takes."""
    done: list[Done] = []
    connections = [psycopg.connect(plan.dsn) for _ in range(CONNECTIONS)]
    start = time.monotonic() + 0.1
    beats = [(start + at / plan.rate, row) for at, row in enumerate(plan.rows)]
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


def _work(connection: psycopg.Connection[Any], beats: Sequence[tuple[float, Row]], mark: str, done: list[Done]) -> None:
    for beat, (kind, number) in beats:
        if (pause := beat - time.monotonic()) > 0:
            time.sleep(pause)
        connection.execute(_CHANGES[kind].encode(), (mark, number))
        sent = time.monotonic()
        connection.commit()
        done.append(Done(kind, number, sent, time.monotonic()))


def main() -> None:
    for each in play(Plan.load(sys.stdin.buffer.read())):
        sys.stdout.write(json.dumps(asdict(each)) + "\n")


if __name__ == "__main__":
    main()
