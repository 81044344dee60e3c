"""A checkpoint file with dead letters and holds in it, and somebody who plays the connector beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from connector.checkpoints.opening import in_file
from connector.checkpoints.requests import Inbox, Request
from connector.checkpoints.sqlite.file import open_writer
from connector.checkpoints.sqlite.inbox import InboxFile
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.holds import Held, HoldKind, HoldState
from connector.pipeline.ports.records import DeadLetter, Settlement


def letter(
    key: str, cause: str, *, reason: str = "rejected", first_seen: float = 60.0, order_id: str = ""
) -> DeadLetter:
    """Seen twice, an hour apart."""
    message, paths, last = f"{cause}; and more", ("tags",), first_seen + 3_600
    return DeadLetter(OrderKey(key), reason, message, paths, b"\x01", first_seen, last, 2, 422, cause, "", order_id)


def keep(folder: Path, letters: Sequence[DeadLetter] = (), held: Sequence[Mapping[str, Sequence[str]]] = ()) -> None:
    """Write them into `connector.db`. Each of `held` becomes a hold: its orders' keys and the fields that differ."""
    asyncio.run(_keep(folder / "connector.db", letters, held))


async def _keep(path: Path, letters: Sequence[DeadLetter], held: Sequence[Mapping[str, Sequence[str]]]) -> None:
    store = in_file(path)
    await store.settle([Settlement(_entry(one.key), dead_letter=one) for one in letters])
    for orders in held:
        hold = await store.open_hold(HoldKind.CHANGES, "mapping changed", 120.0)
        told = {OrderKey(key): Held(hold.number, tuple(fields), 100.0) for key, fields in orders.items()}
        await store.settle([Settlement(_entry(key), held=one) for key, one in told.items()])
        await store.mark_hold(hold.number, HoldState.HELD)
    await store.close()


def _entry(key: OrderKey) -> Entry:
    return Entry(key, 1, 1, 50.0, Lane.LIVE, 1, False)


@contextmanager
def connector_played(folder: Path, message: str = "done as asked", *, ok: bool = True) -> Iterator[list[Request]]:
    """Holds the store like a running connector, takes what is asked, and answers each with the message."""
    path, taken, over = folder / "connector.db", list[Request](), threading.Event()

    def play() -> None:
        inbox = Inbox(InboxFile(path.with_name(path.name + ".requests")))
        while not over.wait(0.02):
            if (request := inbox.next()) is not None:
                taken.append(request)
                inbox.finish(request.number, ok, message)
        inbox.close()

    connection, hold = open_writer(path)
    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()
        connection.close()
        hold.release()


def left(folder: Path) -> list[tuple[str, Mapping[str, object]]]:
    """What waits in the inbox: verbs and arguments."""
    inbox, found = Inbox(InboxFile(folder / "connector.db.requests")), []
    while (request := inbox.next()) is not None:
        found.append((request.verb, request.arguments))
    inbox.close()
    return found
