"""One term of leading: the open store, and the right to push for as long as whoever keeps the store's lock answers."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from connector.checkpoints.leader import LEADER_NOTE, Leader, read_leader
from connector.checkpoints.lease import LEASE, RENEW_EVERY
from connector.checkpoints.opening import is_waited_for, open_checkpoints
from connector.checkpoints.store import Checkpoints
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable, ConnectorError
from connector.settings.config import Settings
from connector.status.facts import Leading
from connector.wiring import factories

_ANYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 -- what status.host may say
_ON_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")
_NOBODY = (
    "nobody waits to take over, so leadership stays here: start a second connector with the same checkpoints"
    " first; or stop this one"
)


class Term:
    """Made by `begin`. `former`: who led before, as far as it said so."""

    def __init__(self, settings: Settings, store: Checkpoints, leader: Leader, former: Leader | None) -> None:
        self.store = store
        self.leader = leader
        self.former = former
        self.leaving = asyncio.Event()
        """It is to end: leadership is lost, or handed over."""
        self._address = factories.checkpoints(settings)
        self._silence = settings.daemon.silence_timeout
        self.lost: CheckpointsLost | None = None
        """Another one leads, or the store isn't what this one knew."""
        self._keeping = asyncio.create_task(self._keep(), name="lease")

    @classmethod
    async def begin(cls, settings: Settings, store: Checkpoints) -> Term:
        """Raises CheckpointsUnwritable; the store is closed then."""
        try:
            note = await store.noted(LEADER_NOTE)
            former = read_leader(note)
            # One that left pushes no more; one that doesn't say so may be alive, and not know yet that it is deposed.
            left = note is None or (former is not None and former.left)
            may_push_for = 0.0 if left or not store.lease.seconds else LEASE if former is None else former.lease
            store.lease.begin(may_push_for)
            term = 1 if former is None else former.term + 1
            lease, serves = store.lease.seconds, what_is_served(settings)
            leader = Leader(instance_name(settings), time.time(), term, lease, serves=serves, page=_page(settings))
            await store.note(LEADER_NOTE, leader.dump())
        except BaseException:  # whatever it was, the lock would be kept
            await store.close()
            raise
        return cls(settings, store, leader, former)

    async def _keep(self) -> None:
        """Renew the lease. The pipeline's own calls do so, too; without any it is asked here."""
        try:
            while self.store.lease.seconds:
                await asyncio.sleep(RENEW_EVERY)
                with suppress(CheckpointsUnwritable):  # the pipeline's own error says it; asked again soon
                    await self.store.answer()
        except CheckpointsLost as error:
            self.lost = error
            self.leaving.set()

    def leading(self) -> Leading:
        """Who leads, as far as this process knows: after `daemon.silence_timeout` without an answer another one may."""
        leader, lease = self.leader, self.store.lease
        here = not lease.over and lease.unanswered < self._silence
        return Leading(leader.instance, leader.since, leader.term, here, leader.page)

    async def may_step_down(self) -> str:
        """What to answer whoever asks for it, before `leaving` is set. Raises ConnectorError when nobody waits."""
        if not await asyncio.to_thread(is_waited_for, self._address):
            raise ConnectorError(_NOBODY)
        return "leadership is handed over to the connector that waits; this one waits from now on"

    async def end(self) -> None:
        """Once nothing of it runs any more: let the next one lead. Never raises for what the store does."""
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        with suppress(CheckpointsUnwritable, CheckpointsLost):
            if self.lost is None:
                self.store.lease.end()
                await self.store.note(LEADER_NOTE, replace(self.leader, left=True).dump())
        with suppress(CheckpointsUnwritable):
            await self.store.close()


def instance_name(settings: Settings) -> str:
    """Of this process, for people."""
    return settings.daemon.instance or f"{socket.gethostname()}/{os.getpid()}"


def what_is_served(settings: Settings) -> str:
    """What connectors with the same checkpoints must have in common."""
    source, endpoints = settings.source, factories.redo_endpoints(settings)
    # Hosts alone: somebody's URL may hold a secret.
    stores = sorted(f"{name} at {urlsplit(url).hostname}" for name, url in endpoints.items())
    return f"slot {source.slot}, publication {source.publication}, store {', '.join(stores)}"


def _page(settings: Settings) -> str:
    """Where this connector's status page is, for people on other machines."""
    host, port, machine = settings.status.host, settings.status.port, socket.gethostname()
    if not port:
        return ""  # any that is free
    if host in _ANYWHERE:
        return f"http://{machine}:{port}/"
    here = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    return f"{here} on {machine}" if host in _ON_THIS_MACHINE else here


async def take(settings: Settings) -> Term:
    """Lead now. Raises ConfigurationError while another one does, CheckpointsUnwritable."""
    # In a thread: a database may keep it waiting, while the page tells that the connector starts.
    address, vault = factories.checkpoints(settings), factories.payload_vault(settings)
    return await Term.begin(settings, await asyncio.to_thread(open_checkpoints, address, vault))
