"""An OMS that goes on with its work: clients that write all the time, each statement as an application would send it.

Knows the tables of `ddl_schema`. Touches only columns that no test drops, so that whatever fails here would fail for a
reason of ours; and at most one row of each table in a transaction, in the order of the tables' names, so that clients
never meet in a deadlock of their own.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import psycopg

ORDERS: Final = 12
CLIENT: Final = "oms"
SCHEMA_CHANGER: Final = "oms-ddl"
OURS: Final = "redo-connector"

Statement = tuple[str, tuple[Any, ...]]

# Whoever of the OMS waits for a lock that we hold, or wait for before it.
_KEPT_WAITING = """
SELECT w.application_name, extract(epoch FROM clock_timestamp() - w.query_start)::float8
FROM pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) AS b (pid) JOIN pg_stat_activity o USING (pid)
WHERE w.datname = current_database() AND w.wait_event_type = 'Lock' AND w.application_name LIKE %s
AND o.application_name = %s
"""


@dataclass(slots=True)
class Failure:
    """A statement of the OMS that failed, and when (monotonic)."""

    at: float
    error: psycopg.Error
    statement: str

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {str(self.error).splitlines()[0]} in {self.statement}"


@dataclass(slots=True)
class Clients:
    """Several writers in threads of their own; a context manager. `paused` and `resumed` stop and start them between
    transactions."""

    dsn: str
    seed: int = 1
    count: int = 2
    failures: list[Failure] = field(default_factory=list)
    committed: int = 0
    kept_waiting: dict[str, float] = field(default_factory=dict)
    """Seconds that a session waited behind one of ours at the longest, by application name."""
    _threads: list[threading.Thread] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)
    _at_work: list[threading.Lock] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def __enter__(self) -> Clients:
        for number in range(self.count):
            self._at_work.append(threading.Lock())
            self._start(self._work, _random(self.seed * 10 + number), self._at_work[-1])
        self._start(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._go.set()
        for thread in self._threads:
            thread.join(30)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def resumed(self) -> None:
        self._go.set()

    def paused(self) -> None:
        """Returns once no transaction is open. Blocks."""
        self._go.clear()
        for lock in self._at_work:
            with lock:
                pass

    def play(self, transactions: int, seed: int) -> None:
        """Blocks. So many transactions, one after the other."""
        random = _random(seed)
        with self._connect() as conn:
            for _ in range(transactions):
                self._transaction(conn, random)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self.dsn, autocommit=True, application_name=CLIENT, prepare_threshold=0, options="-c lock_timeout=20s"
        )

    def _work(self, random: Random, at_work: threading.Lock) -> None:
        with self._connect() as conn:
            while self._go.wait() and not self._stop.is_set():
                with at_work:
                    if self._go.is_set():
                        self._transaction(conn, random)
                time.sleep(0.004)  # so that there is time for others, too

    def _transaction(self, conn: psycopg.Connection[Any], random: Random) -> None:
        statements = _statements(random, next(self._numbers))
        if len(statements) == 1:
            self._execute(conn, statements[0])
            self.committed += 1
            return
        conn.execute("BEGIN")
        done = all(self._execute(conn, statement) for statement in statements)
        conn.execute("COMMIT" if done else "ROLLBACK")
        self.committed += done

    def _execute(self, conn: psycopg.Connection[Any], statement: Statement) -> bool:
        text, values = statement
        try:
            conn.execute(text.encode(), values)
        except psycopg.Error as error:
            self.failures.append(Failure(time.monotonic(), error, text))
            return False
        return True

    def _watch(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while not self._stop.wait(0.05):
                for name, seconds in conn.execute(_KEPT_WAITING, (f"{CLIENT}%", OURS)).fetchall():
                    self.kept_waiting[name] = max(self.kept_waiting.get(name, 0.0), seconds)


def _statements(random: Random, number: int) -> list[Statement]:
    """One statement, or some, at most one a table and in the order of the tables' names."""
    makers = random.sample(sorted(_MAKERS), random.choice((1, 1, 1, 2, 3)))
    return [random.choice(_MAKERS[name])(random, number) for name in sorted(makers)]


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 -- to be repeated, not to be unguessable


def _order(random: Random) -> int:
    return random.randint(1, ORDERS)


def _some(table: str) -> str:
    """A row at random, without waiting for whoever has one."""
    return f"(SELECT id FROM bazaar.{table} ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)"


_KINDS: Final = ("made", "packed")
_MAKERS: Final[dict[str, list[Callable[[Random, int], Statement]]]] = {
    "event": [
        lambda r, n: (
            "INSERT INTO bazaar.event (id, order_id, alt_id, kind) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (r.randint(1, 199), _order(r), _order(r), r.choice(_KINDS)),
        ),
        lambda r, n: (f"UPDATE bazaar.event SET kind = %s WHERE id = {_some('event')}", (r.choice(_KINDS),)),
        lambda r, n: (f"UPDATE bazaar.event SET order_id = %s WHERE id = {_some('event')}", (_order(r),)),
        lambda r, n: (f"DELETE FROM bazaar.event WHERE id = {_some('event')}", ()),
    ],
    "item": [
        lambda r, n: (
            "INSERT INTO bazaar.item (id, order_id, alt_id, sku, qty) VALUES (%s, %s, %s, %s, %s)",
            (n, _order(r), _order(r), f"sku{r.randint(1, 9)}", r.randint(1, 5)),
        ),
        lambda r, n: (f"UPDATE bazaar.item SET qty = %s WHERE id = {_some('item')}", (r.randint(1, 9),)),
        lambda r, n: (f"UPDATE bazaar.item SET order_id = %s WHERE id = {_some('item')}", (_order(r),)),
        lambda r, n: (f"DELETE FROM bazaar.item WHERE id = {_some('item')}", ()),
    ],
    "orders": [
        lambda r, n: ("UPDATE bazaar.orders SET status = %s WHERE id = %s", (f"s{r.randint(1, 99)}", _order(r))),
    ],
    "payment": [
        lambda r, n: (
            "INSERT INTO bazaar.payment (order_id, no, amount) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (_order(r), r.randint(1, 4), r.randint(1, 99)),
        ),
        lambda r, n: (
            "UPDATE bazaar.payment SET amount = %s WHERE order_id = %s AND no = %s",
            (r.randint(1, 99), _order(r), r.randint(1, 4)),
        ),
        lambda r, n: ("DELETE FROM bazaar.payment WHERE order_id = %s AND no = %s", (_order(r), r.randint(1, 4))),
    ],
    "refund": [
        lambda r, n: (
            "INSERT INTO bazaar.refund (id, item_id, alt_item, amount) SELECT %s, id, id, %s FROM bazaar.item"
            " ORDER BY random() LIMIT 1",
            (n, r.randint(1, 99)),
        ),
        lambda r, n: (f"UPDATE bazaar.refund SET amount = %s WHERE id = {_some('refund')}", (r.randint(1, 99),)),
        lambda r, n: (f"DELETE FROM bazaar.refund WHERE id = {_some('refund')}", ()),
    ],
}
