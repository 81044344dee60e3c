"""Invariant 9: no secret and no customer data in a log, metric, status page, error or file."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx2 as httpx
import psycopg

from connector.demo.run import free_port
from connector.demo.traffic import Kind, Traffic
from tests.fix_connector import Rig, eventually


def sensitive(rig: Rig) -> dict[str, str]:
    """Everything that must not be seen, by what it is."""
    with rig.database.connect() as conn:
        customers = conn.execute("SELECT email_addr, last_nm, phone_no FROM oms.customer").fetchall()
        addresses = conn.execute("SELECT street_1 FROM oms.cust_address").fetchall()
    found = {"the API secret": rig.sandbox.state.api_secret, "the DSN's password": "hunter2-password"}
    for email, last_name, phone in customers:
        found |= {f"email {email}": email, f"name {last_name}": last_name, f"phone {phone}": phone or email}
    for (street,) in addresses:
        found[f"street {street}"] = street
    return found


def assert_clean(text: str, secrets: dict[str, str], where: str) -> None:
    leaked = [what for what, value in secrets.items() if value in text]
    assert not leaked, f"{where} shows {leaked}"


async def test_invariant_9_no_secret_and_no_customer_data_is_shown_anywhere(rig: Rig) -> None:
    rig.sandbox.state.api_secret = "sandbox-very-secret-token"
    rig.mapping = rig.mapping.replace(
        "o.placed_ts AS created_at,", "o.placed_ts + make_interval(secs => 0 / (o.ord_id - 9)) AS created_at,"
    )
    rig.execute("UPDATE oms.customer SET last_nm = 'Lastname' || cust_id, phone_no = '555-01-' || (1000 + cust_id)")
    rig.execute("UPDATE oms.cust_address SET street_1 = addr_id || ' Secluded Lane'")
    rig.switch(reject=["2"], error_rate=0.2)
    port, log = free_port(), rig.folder / "connector.log"
    config = rig.write_config(port)
    dsn = rig.dsn.replace("postgres@", "postgres:hunter2-password@")
    assert "hunter2" in dsn
    config.write_text(config.read_text().replace(rig.dsn, dsn))
    secrets = sensitive(rig)
    environment = {**os.environ, "CONNECTOR_LOG__LEVEL": "debug", "CONNECTOR_LOG__FORMAT": "json"}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "connector", "run", "--config", str(config), stdout=output, stderr=output,
            env=environment,
        )  # fmt: skip
    try:
        shown = await _live_through_trouble(rig, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        await process.wait()
    for where, text in shown.items():
        assert_clean(text, secrets, where)
    text = log.read_text()
    assert "dsn" in text or "state" in text, "the log was written"
    assert_clean(text, secrets, "the log")
    for path in sorted(rig.folder.glob("connector.db*")):
        assert_clean(path.read_bytes().decode("latin-1"), secrets, path.name)
    await _verbs_are_clean(config, secrets, environment)


async def _live_through_trouble(rig: Rig, url: str) -> dict[str, str]:
    """Rejections, server errors, bad emails, a mapping that fails, a lost stream, a refused token; then look."""
    async with httpx.AsyncClient() as client:

        async def letters() -> int:
            try:
                return sum((await client.get(f"{url}/api/status")).json()["dead_letters"].values())
            except httpx.HTTPError:
                return 0

        await eventually("two orders are refused", lambda: _at_least(letters, 2))
        async with await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True) as conn:
            traffic = Traffic(conn, 1)
            await traffic.do(Kind.SPOILED)
            await eventually("the spoiled one is refused", lambda: _at_least(letters, 3))
            await conn.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
        rig.switch(unauthorized=True)
        rig.execute("UPDATE oms.order_header SET tag_list = 'new'")
        pages = {name: f"{url}{path}" for name, path in _PAGES.items()}

        async def paused() -> bool:
            return bool((await client.get(f"{url}/api/status")).json()["paused_reason"] == "http_401")

        await eventually("delivery is paused", paused)
        return {name: (await client.get(page)).text for name, page in pages.items()}


_PAGES = {"metrics": "/metrics", "the page": "/", "the status": "/api/status", "readiness": "/readyz"}


async def _at_least(count: object, least: int) -> bool:
    assert callable(count)
    return bool(await count() >= least)


async def _verbs_are_clean(config: Path, secrets: dict[str, str], environment: dict[str, str]) -> None:
    """Verbs that aren't asked to show an order's payload show none of it."""
    for verb in (["check"], ["explain"], ["status"], ["status", "--json"], ["grants"]):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "connector", *verb, "--config", str(config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert output
        assert_clean(output.decode(), secrets, " ".join(verb))
