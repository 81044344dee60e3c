"""The inbox: what a command asks of a connector.

Works with and without a running connector; who may write the store may ask. It must not know what a verb means.
"""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connector.checkpoints.engine import Session

KEPT_FOR: Final = 7 * 86_400.0
"""Seconds that a finished request is remembered."""


class RequestState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of the connector. `done` of `total` orders (None: unknown) were dealt with; `message` says what
    came of it. Times are seconds since 1970."""

    number: int
    verb: str
    arguments: Mapping[str, Any]
    asked_at: float
    state: RequestState
    done: int = 0
    total: int | None = None
    message: str = ""
    finished_at: float | None = None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


class InboxPlace(ABC):
    """Where requests are kept. May be used from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._connection: Any = None
        """Of the engine's driver, None while none is open."""

    @abstractmethod
    def opened(self, *, make: bool = False, write: bool = True) -> AbstractContextManager[Session | None]:
        """For one short transaction; None where there is nothing yet, unless it shall be made. Raises
        ConfigurationError and CheckpointsUnwritable."""

    def close(self) -> None:
        """The next call opens it again."""
        with self._mutex:
            self._let_go()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Inbox:
    """Synchronous, one short transaction a call; may be used from several threads. The first `ask` makes what is
    needed; before, there are no requests. All methods raise ConfigurationError and CheckpointsUnwritable."""

    def __init__(self, place: InboxPlace, clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock

    def ask(self, verb: str, arguments: Mapping[str, Any], now: float) -> int:
        """Leave a request, durably; its number."""
        with self._place.opened(make=True) as session:
            assert session is not None  # noqa: S101 -- it was made
            session.run("request_forget_old", before=now - KEPT_FOR)
            number = session.value("request_ask", verb=verb, arguments=json.dumps(dict(arguments)), asked_at=now)
            return int(number)

    def get(self, number: int) -> Request | None:
        with self._place.opened(write=False) as session:
            return None if session is None else _request(session.row("request", number=number))

    def waiting(self) -> bool:
        """Whether `next` would find something; may be asked several times a second."""
        with self._place.opened(write=False) as session:
            return bool(session and session.value("request_waiting"))

    def next(self) -> Request | None:
        """The oldest that waits; it is running from now on."""
        with self._place.opened() as session:
            return None if session is None else _request(session.row("request_next"))

    def progress(self, number: int, done: int, total: int | None) -> None:
        """One synced commit: not for each order."""
        self._run("request_progress", done=done, total=total, number=number)

    def finish(self, number: int, ok: bool, message: str) -> None:
        state = RequestState.DONE if ok else RequestState.FAILED
        self._run("request_finish", state=state.value, message=message, finished_at=self._clock(), number=number)

    def recover(self) -> None:
        """At a connector's start: what a former one had begun waits again. Every verb may be carried out twice."""
        self._run("request_wait_again")
        self._run("request_forget_old", before=self._clock() - KEPT_FOR)

    def close(self) -> None:
        """The next call opens it again."""
        self._place.close()

    def _run(self, name: str, **values: Any) -> None:
        with self._place.opened() as session:
            if session is not None:
                session.run(name, **values)


def _request(row: Sequence[Any] | None) -> Request | None:
    if row is None:
        return None
    number, verb, arguments, asked_at, state, *rest = row
    return Request(number, verb, json.loads(arguments), asked_at, RequestState(state), *rest)
