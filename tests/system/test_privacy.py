"""Invariant 9: no secret and no customer data in a log, metric, status page, error, command's output or file, whatever
Redo quotes and whatever goes wrong, at log level debug too.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
import httpx2 as httpx
import psycopg
import pytest
from cryptography.fernet import Fernet

from connector.demo.run import free_port
from connector.demo.shop.traffic import Kind, Traffic
from tests.support.echoing_redo import Echo
from tests.support.fixtures.cli import ROOT
from tests.support.fixtures.connector import Rig, eventually
from tests.support.processes import forked
from tests.support.processes.forked import Forked
from tests.support.redo_servers import serving

TOKEN, PASSWORD = "very-hidden-4711-token", "hunter2-password"
KEYS = [Fernet.generate_key().decode(), Fernet.generate_key().decode()]


def distinct(rig: Rig) -> None:
    """People and places that occur nowhere else."""
    rig.execute(
        "UPDATE oms.customer SET first_nm = 'Forename' || cust_id, last_nm = 'Lastname' || cust_id,"
        " email_addr = 'Buyer.' || cust_id || '@Private.Example', phone_no = '555-01-' || (1000 + cust_id)"
    )
    rig.execute(
        "UPDATE oms.cust_address SET street_1 = addr_id || ' Secluded Lane', street_2 = 'Rear ' || addr_id || ' flat',"
        " city = 'Hiddenville' || addr_id, zip_cd = 'ZQ-' || (10000 + addr_id)"
    )


def sensitive(rig: Rig) -> dict[str, str]:
    """Everything that must not be seen, by what it is."""
    found = {"the API secret": TOKEN, "a part of it": TOKEN[5:16], "the DSN's password": PASSWORD}
    found |= {f"payload key {number}": key for number, key in enumerate(KEYS)}
    with rig.database.connect() as conn:
        for row in conn.execute("SELECT email_addr, first_nm, last_nm, phone_no FROM oms.customer").fetchall():
            found |= {f"customer's {value}": value for value in row}
        for row in conn.execute("SELECT street_1, street_2, city, zip_cd FROM oms.cust_address").fetchall():
            found |= {f"address's {value}": value for value in row}
    return found


def spellings(value: str) -> Iterator[str]:
    """As it may stand in a text whose letters are all small."""
    for text in (value, value.casefold()):
        yield from {text.casefold(), quote(text).casefold(), json.dumps(text)[1:-1].casefold()}


def assert_clean(text: str, secrets: Mapping[str, str], where: str) -> None:
    small = text.casefold()
    leaked = [what for what, value in secrets.items() if any(spelling in small for spelling in spellings(value))]
    assert not leaked, f"{where} shows {leaked}"


@dataclass
class Watched:
    """A connector in a process of its own, before a Redo that quotes, and what both were seen to show."""

    rig: Rig
    echo: Echo
    url: str
    config: Path
    log: Path
    shown: dict[str, str]

    async def status(self) -> Any:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.url}/api/status")).json()
        except httpx.HTTPError:
            return {}

    async def until(self, what: str, name: str, least: int) -> None:
        """A count in the status, or the sum of its counts."""

        async def enough() -> bool:
            found = (await self.status()).get(name, 0)
            return (sum(found.values()) if isinstance(found, dict) else found) >= least

        await eventually(what, enough)

    async def look(self, when: str) -> None:
        """Every page, and every file as it is beside the running process."""
        async with httpx.AsyncClient() as client:
            for path in ("/metrics", "/", "/api/status", "/readyz", "/healthz", "/orders/1", "/api/orders/1"):
                self.shown[f"{path} {when}"] = (await client.get(self.url + path)).text
        for file in self.rig.folder.iterdir():
            if file.name not in (self.config.name, "mapping.sql"):
                self.shown[f"{file.name} {when}"] = file.read_bytes().decode("latin-1")

    async def ask(self, *arguments: str) -> str:
        ran = await forked.finish(
            "tests.support.processes.verbose_child",
            *arguments,
            "--config",
            str(self.config),
            folder=ROOT,
            environment=environment(),
        )
        self.shown[" ".join(arguments)] = text = ran.stdout + ran.stderr
        assert text
        return text


def environment() -> dict[str, str]:
    return {**os.environ, "CONNECTOR_LOG__LEVEL": "debug", "CONNECTOR_LOG__FORMAT": "json"}


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[Watched]:
    echo, port = Echo(), free_port()
    async with serving(echo) as redo:
        dsn = rig.dsn.replace("postgres@", f"postgres:{PASSWORD}@")
        assert PASSWORD in dsn
        rig.overrides = {
            "source": {"dsn": dsn},
            "mapping": {"missing": "cancel"},
            "redo": {"base_url": redo.url, "api_secret": TOKEN, "timeout": 0.5, "confirm_after": 0.5},
            "checkpoints": {"keep": "payload", "payload_keys": ",".join(KEYS)},
        }
        log = rig.folder / "connector.log"
        made = Watched(rig, echo, f"http://127.0.0.1:{port}", rig.write_config(port), log, {})
        with log.open("wb") as output:
            process = Forked(
                "tests.support.processes.verbose_child", "run", "--config", str(made.config),
                folder=ROOT, environment=environment(), streams=[None, output, output],
            )  # fmt: skip
        try:
            yield made
        finally:
            process.terminate()
            await process.ended()


@pytest.mark.timeout(300)  # a daemon and eight commands, each a process of its own
async def test_invariant_9_no_secret_and_no_customer_data_is_shown_anywhere(rig: Rig) -> None:
    distinct(rig)
    before = sensitive(rig)
    rig.mapping = rig.mapping.replace(
        "o.placed_ts AS created_at,", "o.placed_ts + make_interval(secs => 0 / (o.ord_id - 9)) AS created_at,"
    )
    rig.mapping = f"{rig.mapping.rstrip()}\nWHERE o.tag_list IS DISTINCT FROM 'gone'\n"
    async with watched(rig) as seen:
        seen.echo.next_answers.update(
            {"1": ["400"] * 9, "2": ["422"], "3": ["500"], "4": ["page"], "5": ["cut"], "6": ["silent"]}
        )
        await _refusals_and_unclear_answers(seen)
        await _suspicions_and_removals(seen)
        await _a_hold(seen)
        await _requests(seen)
        await _a_refused_token(seen)
    for file in rig.folder.iterdir():
        if file.name not in (seen.config.name, "mapping.sql"):
            seen.shown[f"{file.name} at the end"] = file.read_bytes().decode("latin-1")
    assert '"event":"order_refused"' in seen.log.read_text()
    kept = apsw.Connection(str(rig.folder / "connector.db")).execute("SELECT count(*) FROM payload").get
    assert kept > 30, "payloads are there, sealed"
    for where, text in seen.shown.items():
        assert_clean(text, before | sensitive(rig), where)


async def _refusals_and_unclear_answers(seen: Watched) -> None:
    await seen.until("all but three are at Redo", "checkpoints", 37)
    await seen.until("three are refused", "dead_letters", 3)
    async with await psycopg.AsyncConnection.connect(seen.rig.dsn, autocommit=True) as conn:
        await Traffic(conn, 1).do(Kind.SPOILED)
        await seen.until("the spoiled one is refused, too", "dead_letters", 4)
        await conn.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")


async def _suspicions_and_removals(seen: Watched) -> None:
    seen.rig.execute(
        "UPDATE oms.order_item SET line_no = line_no + 100 WHERE (ord_id, line_no) = (SELECT i.ord_id, i.line_no"
        " FROM oms.order_item i WHERE NOT EXISTS (SELECT FROM oms.shipment_item s WHERE s.ord_id = i.ord_id)"
        " AND i.ord_id BETWEEN 12 AND 40 LIMIT 1)"
    )
    await seen.until("a line item's new id is told", "warnings", 1)
    seen.echo.next_answers["10"] = ["400"]
    seen.rig.execute("UPDATE oms.order_header SET tag_list = 'gone' WHERE ord_id IN (10, 11)")
    await seen.until("one removal is refused", "dead_letters", 5)
    await eventually("the other is done", lambda: seen.echo.orders["11"].get("cancelReason") == "other")


async def _a_hold(seen: Watched) -> None:
    mapping = seen.rig.folder / "mapping.sql"
    mapping.write_text(mapping.read_text().replace("END AS sales_channel", "END || ' 2' AS sales_channel"))
    await seen.until("the changed mapping is held", "held_orders", 11)
    await seen.look("while much is held")
    looks = (["dead-letters", "list"], ["dead-letters", "show", "1", "9", "10"], ["approve", "--list"])
    said = await asyncio.gather(*(seen.ask(*verb) for verb in looks))
    assert "order 10: removal" in said[1]
    await seen.ask("approve", "--yes")


async def _requests(seen: Watched) -> None:
    seen.echo.stale.add("20")
    found = await seen.ask("reconcile", "--verify-redo", "100")
    assert "order 20: Redo has other values in customer" in found
    await seen.ask("dead-letters", "redrive", "--all", "--yes")


async def _a_refused_token(seen: Watched) -> None:
    seen.echo.to_all = "401"
    seen.rig.execute("UPDATE oms.order_header SET tag_list = 'new' WHERE ord_id > 20")

    async def paused() -> bool:
        return bool((await seen.status()).get("paused_reason") == "http_401")

    await eventually("delivery is paused", paused)
    await seen.look("while a token is refused")
    await asyncio.gather(*(seen.ask(verb) for verb in ("status", "check")))
