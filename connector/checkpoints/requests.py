"""The inbox: what a command asks of a connector.

Works with and without a running connector; who may write the store may ask. It must not know what a verb means.
"""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connector.checkpoints.engine import Session
from connector.model.texts import storable

_LONGEST_VERB: Final = 40
"""Characters; it is logged."""
KEPT_FOR: Final = 7 * 86_400.0
"""Seconds that a finished request is remembered."""
LONGEST_MESSAGE: Final = 2_000
"""Characters of what came of a request."""
UNREADABLE: Final = "unreadable"
_CANT_BE_READ: Final = "the request can't be read: ask again with this version's command"


class RequestState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of the connector. `done` of `total` orders (None: unknown) were dealt with; `message` says what
    came of it. Times are seconds since 1970. One that can't be read, because another program wrote it, has the verb
    UNREADABLE, and says so in `message`."""

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
            return None if session is None else _found(session, number)

    def waiting(self) -> bool:
        """Whether `next` would find something; may be asked several times a second."""
        with self._place.opened(write=False) as session:
            return bool(session and session.value("request_waiting"))

    def next(self) -> Request | None:
        """The oldest that waits; it is running from now on."""
        with self._place.opened() as session:
            number = None if session is None else session.value("request_next")
            return None if session is None or number is None else _found(session, number)

    def progress(self, number: int, done: int, total: int | None) -> None:
        """One synced commit: not for each order."""
        self._run("request_progress", done=done, total=total, number=number)

    def finish(self, number: int, ok: bool, message: str) -> None:
        state = RequestState.DONE if ok else RequestState.FAILED
        words = storable(message, LONGEST_MESSAGE)
        self._run("request_finish", state=state.value, message=words, finished_at=self._clock(), number=number)

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


def _found(session: Session, number: int) -> Request | None:
    """Whatever another program wrote there, it keeps nobody from the requests behind it."""
    try:
        row = session.row("request", number=number)
        return None if row is None else _request(*row)
    except (ValueError, TypeError, RecursionError):  # no UTF-8, no JSON, JSON nested too deeply, no state of ours
        finished = bool(session.value("request_finished", number=number))
        state = RequestState.FAILED if finished else RequestState.RUNNING
        ended = 0.0 if finished else None
        return Request(number, UNREADABLE, {}, 0.0, state, message=_CANT_BE_READ, finished_at=ended)


def _request(number: int, verb: Any, text: Any, asked_at: Any, state: Any, *rest: Any) -> Request:
    """SQLite keeps a value of any type in any column."""
    done, total, message, finished_at = rest
    arguments = json.loads(text)
    if not (isinstance(verb, str) and len(verb) <= _LONGEST_VERB and isinstance(message, str)):
        raise TypeError
    if not isinstance(arguments, dict):
        raise TypeError
    return Request(
        number,
        verb,
        arguments,
        float(asked_at),
        RequestState(state),
        int(done),
        None if total is None else int(total),
        message,
        None if finished_at is None else float(finished_at),
    )
