"""The slot that a dead leader's walsender still reads: the server lets go of it by itself only after its
`wal_sender_timeout`, and of one whose client is stopped not even then.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

import psycopg
import structlog

from connector.daemon.leadership.term import Term
from connector.model.errors import SourceUnavailable
from connector.pipeline.intake.progress import PROGRESS_NOTE
from connector.postgres.connections import connection
from connector.settings.config import Settings
from connector.wiring.factories import source_dsn

log = structlog.get_logger("connector.leader")

PATIENCE: Final = 0.5
"""Seconds that a walsender has to notice by itself that its client is gone."""
ENDING: Final = 2.0
"""Seconds that it has to end once it was told to."""
_EVERY: Final = 0.05

_READS: Final = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s AND active_pid = %s"


async def free_slot(settings: Settings, term: Term) -> None:
    """End the walsender of a former leader that didn't leave by itself, if it still has the slot. Where that can't be
    done it is told, and the stream waits for the slot as it does for anybody's."""
    former = term.former
    pid = None if former is None or former.left else _walsender(await term.store.noted(PROGRESS_NOTE))
    if pid is None:
        return
    slot = settings.source.slot
    try:
        async with connection(source_dsn(settings)) as conn:
            if await _gone(conn, slot, pid, PATIENCE):
                return
            try:
                await conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
            except psycopg.errors.InsufficientPrivilege:
                statement = f"SELECT pg_terminate_backend({pid});"
                step = f"connect both connectors as the same role, or let a DBA run: {statement}"
                log.error("slot_in_use", slot=slot, process=pid, next=step)
                return
            gone = await _gone(conn, slot, pid, ENDING)
            log.warning("former_walsender_ended", slot=slot, process=pid, gone=gone)
    except (SourceUnavailable, psycopg.Error):
        return  # the stream's own error says it better


async def _gone(conn: psycopg.AsyncConnection[Any], slot: str, pid: int, within: float) -> bool:
    give_up = time.monotonic() + within
    while await (await conn.execute(_READS, (slot, pid))).fetchone() is not None:
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(_EVERY)
    return True


def _walsender(note: str | None) -> int | None:
    return None if note is None else json.loads(note).get("walsender") or None
