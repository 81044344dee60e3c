"""Asks the connector for something through its inbox, and follows what becomes of it.

A running connector carries it out, or one of this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from connector.checkpoints.opening import is_running, open_requests
from connector.checkpoints.requests import Inbox, Request
from connector.inspect import running_connector
from connector.inspect.checks.database_identity import refuse_oms_database
from connector.model.errors import ConfigurationError, ConnectorError, Problem
from connector.settings.config import Settings
from connector.wiring import factories

LOOK_EVERY: Final = 0.2
"""Seconds between looks at a request."""
_LOOKS_PER_PROBE: Final = 10
"""Looks between two at whether the connector still runs."""

OnProgress: TypeAlias = Callable[[Request], None]


class RequestLost(ConnectorError):
    """The inbox was moved away, or the request deleted, while it was followed."""


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of a request so far. `running`: whether a connector was there to take it."""

    request: Request
    running: bool

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.request), "arguments": dict(self.request.arguments), "running": self.running}


async def ask(
    settings: Settings, verb: str, arguments: Mapping[str, Any], *, wait: bool, on_progress: OnProgress
) -> RequestResult:
    """Leave a request. With `wait` and a running connector, return once it is finished, or the connector has stopped.

    Raises ConfigurationError, CheckpointsUnwritable, RequestLost.
    """
    address = factories.checkpoints(settings)
    if address.in_postgres:
        await refuse_oms_database(settings)
    if (other := await running_connector.other_store(settings)) is not None:
        raise ConfigurationError([other])
    inbox = open_requests(address)
    try:
        number = await asyncio.to_thread(inbox.ask, verb, arguments, time.time())
        running = is_running(address)
        if wait and running:
            return await _follow(inbox, number, on_progress, lambda: is_running(address))
        return RequestResult(_found(inbox.get(number), number), running)
    finally:
        inbox.close()


async def refuse_without_leader(settings: Settings) -> None:
    """For what only makes sense now: left in the inbox, it would be carried out at the next start. Raises
    ConfigurationError, CheckpointsUnwritable."""
    if not await asyncio.to_thread(is_running, factories.checkpoints(settings)):
        hint = "start one with `redo-connector run`; of several with the same checkpoints one leads"
        raise ConfigurationError([Problem("no connector leads, so nothing is handed over", hint)])


async def carry_out(
    settings: Settings, verb: str, arguments: Mapping[str, Any], *, on_progress: OnProgress
) -> RequestResult:
    """The same, to the end: where no connector runs, one in this process carries it out, and ends with the request.

    Raises what ends that connector, too.
    """
    asked = await ask(settings, verb, arguments, wait=True, on_progress=on_progress)
    if asked.running or asked.request.finished:
        return asked
    from connector.daemon import app  # takes long, and is seldom needed

    number = asked.request.number
    inbox = open_requests(factories.checkpoints(settings))
    work = asyncio.ensure_future(app.run_until_finished(settings, number))
    try:
        followed = await _follow(inbox, number, on_progress, lambda: not work.done(), looks_per_probe=1)
        await work  # it may still be finishing what is in flight; what it raises is the news
    except BaseException:  # an interrupt, too, must not leave a whole connector running
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise
    finally:
        inbox.close()
    return followed


async def _follow(
    inbox: Inbox,
    number: int,
    on_progress: OnProgress,
    there: Callable[[], bool],
    looks_per_probe: int = _LOOKS_PER_PROBE,
) -> RequestResult:
    """Until the request is finished, or nobody is there any more who could finish it."""
    looks = 0
    while True:
        running = looks % looks_per_probe != 0 or there()
        request = _found(await asyncio.to_thread(inbox.get, number), number)
        on_progress(request)
        if request.finished or not running:
            return RequestResult(request, running or request.finished)  # who finished it may have ended since
        looks += 1
        await asyncio.sleep(LOOK_EVERY)


def _found(request: Request | None, number: int) -> Request:
    if request is None:
        raise RequestLost(f"request {number} is no longer in the connector's inbox; ask again")
    return request
