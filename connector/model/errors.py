"""The errors that cross rooms. Each message says what happened, to what, and what to do next; never a row's values.

Leaf module.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_SCARCE: Final[Mapping[int, str]] = {
    errno.EMFILE: "raise this process's limit of open files and sockets (`ulimit -n`, LimitNOFILE in systemd)",
    errno.ENFILE: "raise the machine's limit of open files (sysctl fs.file-max), or end what has so many open",
    errno.ENOMEM: "give this process more memory",
    errno.ENOBUFS: "give this machine's network more memory, or end what has so many sockets open",
}


def scarcity(error: BaseException) -> str | None:
    """What to do about an error of the system that says nothing of the thing asked for, only that something is used up
    (errno(3)); None for any other error."""
    return _SCARCE.get(error.errno or 0) if isinstance(error, OSError) else None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person must mend before the connector can run, or (`warning`) should know.

    `where` is a setting, a table, or `mapping.sql:12:7`; `hint` is the next step, a command or SQL where there is one.
    """

    what: str
    hint: str = ""
    where: str = ""
    warning: bool = False

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.hint}" if self.hint else head


class ConnectorError(Exception):
    """Base of all errors of ours."""


class ConfigurationError(ConnectorError):
    """Settings, mapping or database are not fit to run: exit code 2. Carries every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SourceUnavailable(ConnectorError):
    """The OMS database can't be reached or cut us off: try again later. Nothing is lost meanwhile. `hint` is the next
    step where it is known."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class SlotLost(SourceUnavailable):
    """The slot can't be read any more: changes between what was taken in and a new slot are in no stream. `reason` is
    short and enumerable: `gone`, `lost` (the server removed WAL or rows that it needed), `undecodable` (its
    publication is gone, or younger than it)."""

    def __init__(self, message: str, reason: str) -> None:
        self.reason = reason
        super().__init__(message)


class LimitExceeded(SourceUnavailable):
    """A query ran into a limit of the server's: fewer orders at once may pass. `limit` says which, in words that go on
    from "reading this order"."""

    def __init__(self, message: str, limit: str, hint: str = "") -> None:
        self.limit = limit
        super().__init__(message, hint)


class MappingBroken(ConnectorError):
    """The mapping no longer fits the database (a column dropped, a privilege revoked): no order can be assembled until
    a person mends it. SQLSTATE classes 42 and 0A."""


class ReadingVoid(MappingBroken):
    """Rows may be hidden or missing from what was read, or mean something else than as the mapping was analysed (row
    security, a partition detached, a view redefined, another server): nothing is concluded from it. `cause`: what is
    the matter, in a few words."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(f"{cause}; no order is read meanwhile, and none is removed")


class OrderUnreadable(ConnectorError):
    """The mapping fails for the data of some of the asked keys (SQLSTATE classes 21, 22, P0, ...). The message names
    SQLSTATE and the error's kind, never row values. `cause`: the same without the keys."""

    def __init__(self, message: str, sqlstate: str, cause: str = "") -> None:
        self.sqlstate = sqlstate
        self.cause = cause or message
        super().__init__(message)


class MappingFails(MappingBroken):
    """The mapping fails for the data of some row whichever orders are asked for, so none of them is to blame. It works
    again once that row is mended. `order`: whose row it is, where that was found."""

    def __init__(self, message: str, sqlstate: str, order: str | None) -> None:
        self.sqlstate = sqlstate
        self.order = order
        super().__init__(message)


class InvalidOrder(ConnectorError):
    """A document that Redo's contract would refuse: no request is spent on it. Carries `violations`, the store that
    the order was to go to, empty when it is none of the settings, and its id there, empty when the row gives none."""

    def __init__(self, violations: Sequence[object], store_id: str = "", order_id: str = "") -> None:
        self.violations = tuple(violations)
        self.store_id = store_id
        self.order_id = order_id
        super().__init__("; ".join(str(violation) for violation in self.violations))


class CheckpointsUnwritable(ConnectorError):
    """The checkpoint store can't be read or written (disk full, permissions, locked): nothing may be acknowledged."""


class CheckpointsLost(ConnectorError):
    """The checkpoint store is no longer this process's: another connector took it over, or it went back to an earlier
    state. Nothing can be written any more, and the process must end; a new start compares what it finds. Exit code 2.
    """
