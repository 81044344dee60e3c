"""Streams of real servers, frame by frame: one hex line a frame, one file a major version.

`python -m tests.source.tapes 13 14 15 16 17 18` records them anew from the servers of
`tests.support.programs.postgres_versions`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg

from connector.model.changes import Interest, TableName
from connector.source.stream.copyboth import CopyBoth
from connector.source.stream.frames import KEEPALIVE, status_update

FOLDER: Final = Path(__file__).parent
INTEREST: Final[Interest] = {
    TableName("shop", "orders"): ("id", "customer", "note"),
    TableName("shop", "lines"): ("order_id", "no"),
    TableName("shop", "whole"): ("id", "order_id"),
    TableName("shop", "parted"): ("id", "order_id"),
}
TABLES: Final = "shop.orders, shop.lines, shop.whole, shop.parted, shop.other"

DDL: Final = """
CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('new', 'paid');
CREATE TABLE shop.orders (id int PRIMARY KEY, state shop.state, customer text, note text);
CREATE TABLE shop.lines (order_id int, no int, sku text, PRIMARY KEY (order_id, no));
CREATE TABLE shop.whole (id int, order_id int, weight numeric);
CREATE TABLE shop.parted (id int PRIMARY KEY, order_id int) PARTITION BY RANGE (id);
CREATE TABLE shop.parted_1 PARTITION OF shop.parted FOR VALUES FROM (0) TO (100);
CREATE TABLE shop.parted_2 PARTITION OF shop.parted FOR VALUES FROM (100) TO (200);
CREATE TABLE shop.other (id int PRIMARY KEY, what text);
CREATE TABLE shop.unrelated (id int);
ALTER TABLE shop.whole REPLICA IDENTITY FULL;
ALTER TABLE shop.parted REPLICA IDENTITY FULL;
ALTER TABLE shop.parted_1 REPLICA IDENTITY FULL;
ALTER TABLE shop.orders ALTER note SET STORAGE EXTERNAL;
"""
SCENARIO: Final = (
    "INSERT INTO shop.orders VALUES (1, 'new', 'ann', NULL), (2, NULL, '\u00e9t\u00e9', repeat('t', 2500))",
    "UPDATE shop.orders SET state = 'paid' WHERE id = 2",
    "UPDATE shop.orders SET id = 3 WHERE id = 1",
    "INSERT INTO shop.lines VALUES (2, 1, 'mug'), (2, 2, NULL), (3, 1, '')",
    "UPDATE shop.lines SET order_id = 3, no = 9 WHERE no = 2",
    "DELETE FROM shop.lines WHERE order_id = 2",
    "INSERT INTO shop.whole VALUES (1, 2, 0.5), (2, NULL, 'NaN')",
    "UPDATE shop.whole SET order_id = 3 WHERE id = 1; DELETE FROM shop.whole WHERE id = 2",
    "INSERT INTO shop.parted VALUES (1, 2), (101, 2); UPDATE shop.parted SET order_id = 3; DELETE FROM shop.parted",
    "INSERT INTO shop.other VALUES (1, 'left out')",
    "INSERT INTO shop.unrelated VALUES (1)",
    "BEGIN; INSERT INTO shop.lines VALUES (4, 1, 'a'); SAVEPOINT s; INSERT INTO shop.lines VALUES (4, 2, 'undone');"
    " ROLLBACK TO s; INSERT INTO shop.lines VALUES (4, 3, 'c'); COMMIT",
    "ALTER TABLE shop.orders DROP COLUMN state",
    "DELETE FROM shop.orders WHERE id = 3",
    "TRUNCATE shop.lines, shop.whole",
)


def load(version: int) -> list[bytes]:
    """The frames of one recorded stream."""
    return [bytes.fromhex(line) for line in (FOLDER / f"{version}.hex").read_text(encoding="ascii").splitlines()]


def versions() -> list[int]:
    return sorted(int(path.stem) for path in FOLDER.glob("*.hex"))


async def record(dsn: str, slot: str) -> list[bytes]:
    """What a server sends for the scenario, and the keepalive after it. The database must be empty."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(DDL.encode())
        options = "WITH (publish_via_partition_root = true)"
        conn.execute(f"CREATE PUBLICATION {slot} FOR TABLE {TABLES} {options}".encode())
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
        for statement in SCENARIO:
            conn.execute(statement.encode())
    copy = await CopyBoth.connect(dsn, slot, [slot])
    await copy.start()
    frames: list[bytes] = []
    try:
        asked = False
        while not (asked and frames[-1][0] == KEEPALIVE):
            frame = copy.receive()
            if frame is None:
                await copy.readable()
                continue
            frames.append(bytes(frame))
            if not asked and frame[0] != KEEPALIVE and frames[-1][25:26] == b"C" and truncated(frames):
                asked = True
                copy.send(status_update(copy.begins.confirmed, copy.begins.confirmed, 0, reply=True))
    finally:
        await copy.close(5)
    return frames


def truncated(frames: list[bytes]) -> bool:
    """The last transaction of the scenario is among them."""
    return any(frame[25:26] == b"T" for frame in frames[-3:])
