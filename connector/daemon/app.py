"""Runs a connector until it is told to end: by a signal, or once a request is finished."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

import structlog

from connector.checkpoints.opening import open_readonly, open_requests
from connector.daemon.process import Daemon
from connector.settings.config import Settings
from connector.wiring.factories import checkpoints

log = structlog.get_logger("connector")

LOOK_EVERY = 0.2
"""Seconds between looks at whether a request is finished."""
PATIENCE = 10.0
"""Seconds that a connector of a command goes on when nothing more is delivered."""


async def run(settings: Settings, *, approve_endpoints: bool = False) -> int:
    """Prepare, follow and deliver until SIGTERM or SIGINT; a second signal exits at once. SIGUSR1 hands leadership
    over. Returns the exit code."""
    stop = asyncio.Event()
    _obey_signals(stop)
    daemon = Daemon(settings, stop, approve_endpoints=approve_endpoints)
    stepping_down: set[asyncio.Task[None]] = set()
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGUSR1, lambda: stepping_down.add(asyncio.create_task(daemon.step_down()))
    )
    async with AsyncExitStack() as stack:
        await daemon.run(stack, lasting=True)
    log.info("stopped")
    return 0


async def run_until_finished(settings: Settings, number: int) -> None:
    """Run a whole connector in this process until the request of this number is finished."""
    stop = asyncio.Event()
    _obey_signals(stop)
    inbox = open_requests(checkpoints(settings))

    async def watch() -> None:
        while True:
            request = await asyncio.to_thread(inbox.get, number)
            if request is None or request.finished:
                await _until_delivered(settings)
                stop.set()
                return
            await asyncio.sleep(LOOK_EVERY)

    watching = asyncio.create_task(watch(), name="request")
    try:
        await serve(settings, stop)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        inbox.close()


async def _until_delivered(settings: Settings) -> None:
    """Until nothing waits in the ledger, as long as that gets less."""
    store = await asyncio.to_thread(open_readonly, checkpoints(settings))
    try:
        least, gave_up = -1, time.monotonic() + PATIENCE
        while time.monotonic() < gave_up:
            waiting = (await store.tally()).affected
            if not waiting:
                return
            if least < 0 or waiting < least:
                least, gave_up = waiting, time.monotonic() + PATIENCE
            await asyncio.sleep(LOOK_EVERY)
    finally:
        await store.close()


async def serve(
    settings: Settings, stop: asyncio.Event, *, lasting: bool = False, approve_endpoints: bool = False
) -> None:
    """Follow and deliver until `stop` is set. When the mapping changes, or fits the database again, everything is
    built anew in this process. `lasting`: where orders were followed before, a database that is away at the start is
    waited for, and so is a mapping that doesn't fit, while the slot is read; and while another connector leads, this
    one stands by, unless `daemon.standby` is off. `approve_endpoints`: orders may go where the settings say, whatever
    was accepted elsewhere before."""
    async with AsyncExitStack() as stack:
        await Daemon(settings, stop, approve_endpoints=approve_endpoints).run(stack, lasting=lasting)


def _obey_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def obey(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("killed", signal=number.name, next="what was in flight is confirmed at the next start")
            os._exit(128 + number)
        log.info("stopping", signal=number.name, next="finishing what is in flight; a second signal exits at once")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, obey, number)
