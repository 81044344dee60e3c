"""Everything a chaos run plays with: a primary and its standby, a sandbox, proxies before all of them, the connector.

Must not know which faults there are.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from connector.checkpoints.opening import in_file
from connector.checkpoints.store import Checkpoints
from connector.inspect import grants
from connector.model.changes import parse_lsn
from connector.sandbox.server import SandboxServer
from connector.settings.config import Settings
from tests.support.fault_proxy import FaultProxy
from tests.support.fixtures.postgres import Database, create_database
from tests.support.postgres.cluster import Cluster, Template
from tests.support.postgres.standby import promote, replayed, standby_of
from tests.system.chaos.supervisor import Supervised, Supervisor
from tests.system.chaos.writing import Writing
from tests.system.oracle.judge import RecordingState, Wrong, believed, judge
from tests.system.oracle.worlds import worlds
from tests.system.oracle.writers import Traffic

WORLD, MAPPING = "oms", "demo"
SLOT = "chaos"
ROLE = "chaos_reader"
OUR_SLOT = f"pg_replication_slots WHERE slot_name = '{SLOT}'"
DISK = "24m"
RECOVERED_WITHIN = 120.0
TRAP = "oms.trap"
TRAPS = """
CREATE TABLE oms.trap (name text PRIMARY KEY, divisor int NOT NULL DEFAULT 1, ord_id bigint, seconds float8);
INSERT INTO oms.trap (name) VALUES ('poison'), ('slow');
CREATE FUNCTION oms.burn(seconds float8) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + seconds * interval '1 second';
BEGIN
  WHILE clock_timestamp() < until LOOP END LOOP;
  RETURN '';
END $$;
"""
"""A row that every order's reading computes, and one that makes the reading of an order take long. Only faults change
them: of two rows with one `ord_id` the mapping below makes an error."""
TRAPPED = """o.ord_no || left((SELECT sum(1 / t.divisor) FROM oms.trap t)::text, 0)
            || coalesce((SELECT oms.burn(t.seconds) FROM oms.trap t WHERE t.ord_id = o.ord_id), '')"""


class Scene:
    """Use as an async context manager. `primary` and `standby` change places in a failover."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 -- to be repeated, not to be unguessable
        self.world = replace(worlds()[WORLD], apart=frozenset({TRAP}))
        self.mapping = self.world.mappings[MAPPING].replace("'value', o.ord_no", f"'value', {TRAPPED}")
        self.state = RecordingState()
        self.peak_retained = 0
        self.resent = 0
        self.disk_is_small = False
        self._seed = seed
        self._stack = AsyncExitStack()
        self._proxies: dict[int, FaultProxy] = {}
        self.connectors: Supervised
        self.folder = Path(tempfile.mkdtemp(prefix="redo-connector-chaos-"))
        self.disk = self.folder / "disk"

    async def __aenter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._mount()
        self.template = self._stack.enter_context(Template())
        self.primary = await asyncio.to_thread(self._primary)
        self.database = await asyncio.to_thread(create_database, self.primary)
        await asyncio.to_thread(self._fill)
        (self.folder / "mapping.sql").write_text(self.mapping, encoding="utf-8")
        await self._let_in()
        self.standby = await asyncio.to_thread(standby_of, self.primary)
        self._stack.callback(self._destroy)
        self.sandbox = await self._stack.enter_async_context(SandboxServer(self.state))
        self.proxies = [await self._lead_to("127.0.0.1", each.port) for each in (self.primary, self.standby)]
        redo = urlsplit(self.sandbox.base_url)
        self.redo = await self._lead_to(redo.hostname or "", redo.port or 0)
        await self._start_connectors()
        self.writing = Writing(lambda: self.database.dsn, self.world, self._seed)
        watching = asyncio.create_task(self._watch_wal(), name="retained WAL")
        self._stack.callback(watching.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def store(self) -> Path:
        return self.disk / "connector.db"

    @property
    def proxy(self) -> FaultProxy:
        """The one before the primary."""
        return self.proxies[0]

    async def fail_over(self) -> None:
        """The primary dies, the standby takes over, and gets a standby of its own in the dead one's place."""
        await self.until("the standby is near", lambda: replayed(self.primary, self.standby), 30.0)
        await asyncio.to_thread(self.primary.kill)
        await asyncio.to_thread(promote, self.standby)
        self.primary, self.standby = self.standby, self.primary
        self.proxies.reverse()
        self.database = Database(self.primary, self.database.name)

    async def renew_standby(self) -> None:
        """Restarts the primary."""
        dead = self.standby
        self.standby = await asyncio.to_thread(standby_of, self.primary)
        self.proxies[1]._target = ("127.0.0.1", self.standby.port)
        await asyncio.to_thread(dead.destroy)

    async def end(self) -> int:
        """Where the primary's WAL ends, once it answers."""
        return int(await self.until("the primary answers", lambda: self._ask("pg_current_wal_lsn()"), 60.0))

    async def recovered(self, since: float, lsn: int) -> bool:
        """Whether what was committed up to `lsn`, or before `since`, is at Redo, and nothing is amiss."""
        status = await self.connectors.status()
        if status is None or not status["ready"] or status["flush_lsn"] is None:
            return False
        if not status.get("counted", True):  # builds of earlier commits don't say it
            return False
        walking = _walking(status, since)
        waits_since = status["now"] - status["oldest_affected_age_seconds"]
        waits = (status["affected"] or status["lookups"]) and waits_since < since
        return not (walking or waits or parse_lsn(status["flush_lsn"]) < lsn or status["now"] < since)

    async def until_recovered(self) -> float:
        """Returns how long it took (s). Raises AssertionError after RECOVERED_WITHIN."""
        since, lsn = time.time(), await self.end()
        await self.until("everything is right again", lambda: self.recovered(since, lsn), RECOVERED_WITHIN)
        return time.time() - since

    async def until(self, what: str, check: Callable[[], Any], within: float) -> Any:
        """Wait until `check`, which may block or be a coroutine function, returns something true; return it."""
        deadline = time.monotonic() + within
        while True:
            found = await check() if asyncio.iscoroutinefunction(check) else None
            if found is None:
                made = await asyncio.to_thread(check)
                found = await made if asyncio.iscoroutine(made) else made
            if found:
                return found
            if time.monotonic() > deadline:
                status = await self.connectors.status()
                verdict = None if status is None else status["verdict"]
                tail = self.connectors.tail()
                raise AssertionError(f"not in {within:.0f} s: {what}. The connector says: {verdict}\n{tail}")
            await asyncio.sleep(0.05)

    async def judge(self) -> list[Wrong]:
        """Once it is quiet. Stops the connector, because only one process may hold its store. An order sent twice alike
        isn't wrong after a fault: how many were is in the report."""
        await self.connectors.stop()
        memory = self._open_store()
        try:
            belief = await believed(memory)
        finally:
            await memory.close()
        self.resent = len(self.state.alike)
        self.state.alike.clear()
        return await asyncio.to_thread(judge, self.database.dsn, self.mapping, self.state, belief)

    def _open_store(self) -> Checkpoints:
        return in_file(self.store)

    def _primary(self) -> Cluster:
        return Cluster.create(template=self.template, settings={"fsync": "off", "wal_sender_timeout": "10s"})

    def _destroy(self) -> None:
        """Those that are there at the end."""
        self.primary.destroy()
        self.standby.destroy()

    def _fill(self) -> None:
        with self.database.connect() as conn:
            conn.execute(self.world.schema.encode())
            conn.execute(TRAPS.encode())
        with Traffic(self.database.dsn, self.world, self._seed) as traffic:
            traffic.fill()

    async def _let_in(self) -> None:
        """The role that the connector runs as gets what `grants` prints, and no more: it is no superuser, whom no
        policy would hide a row from."""
        settings = Settings(
            source={"dsn": self.database.dsn, "slot": SLOT},
            mapping={"path": str(self.folder / "mapping.sql"), "sweep_tables": (TRAP,)},
            redo={"store_id": self.state.store_id, "api_secret": self.state.api_secret},
        )
        script = await grants.grants(settings, ROLE, None)
        with self.database.connect() as conn:
            conn.execute(script.encode())

    def _mount(self) -> None:
        """A small disk of the connector's own, where that is allowed."""
        self.disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self.disk)], capture_output=True, check=False
        )
        self.disk_is_small = mounted.returncode == 0
        if self.disk_is_small:
            self._stack.callback(subprocess.run, ["umount", "-l", str(self.disk)], check=False)

    async def _lead_to(self, host: str, port: int) -> FaultProxy:
        return await self._stack.enter_async_context(FaultProxy(host, port))

    async def _start_connectors(self) -> None:
        ports = ",".join(str(proxy.port) for proxy in self.proxies)
        self.supervisor = await self._stack.enter_async_context(
            self._supervised(self.folder, f"port={ports}", self.redo.port, f"sqlite:///{self.store}")
        )
        self.connectors = self.supervisor

    def _supervised(self, folder: Path, oms: str, redo: int, checkpoints: str, more: str = "") -> Supervisor:
        """A connector with its settings and log in a folder. `oms`: ports of the OMS's hosts; `redo`: Redo's port;
        `more`: further settings."""
        hosts = ",".join(["127.0.0.1"] * (1 + oms.count(",")))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            status_port = int(probe.getsockname()[1])
        config = folder / "connector.toml"
        config.write_text(
            f"""
[source]
dsn = "host={hosts} {oms} user={ROLE} dbname={self.database.name} target_session_attrs=read-write"
slot = "{SLOT}"
silence_timeout = "4s"
statement_timeout = "2s"
[mapping]
path = "{self.folder / "mapping.sql"}"
sweep_tables = ["{TRAP}"]
[redo]
base_url = "http://127.0.0.1:{redo}"
store_id = "{self.state.store_id}"
api_secret = "{self.state.api_secret}"
timeout = "2s"
confirm_after = "4s"
[checkpoints]
url = "{checkpoints}"
[guard]
max_share = 1
[status]
port = {status_port}
{more}
""",
            encoding="utf-8",
        )
        return Supervisor(config, folder / "connector.log", status_port)

    def _ask(self, expression: str) -> int | None:
        with suppress(psycopg.Error), self.database.connect() as conn:
            row = conn.execute(f"SELECT ({expression})::text".encode()).fetchone()
            return None if row is None or row[0] is None else int(parse_lsn(row[0]))
        return None

    async def _watch_wal(self) -> None:
        retained = f"'0/0'::pg_lsn + (SELECT pg_current_wal_lsn() - restart_lsn FROM {OUR_SLOT})"
        while True:
            kept = await asyncio.to_thread(self._ask, retained)
            self.peak_retained = max(self.peak_retained, kept or 0)
            await asyncio.sleep(0.5)


def _walking(status: dict[str, Any], since: float) -> bool:
    """Whether a sweep that began before, or that a gap in the stream asked for, isn't over yet."""
    sweep, last, gap_at = status["sweep"], status["last_reconcile"], status["stream_gap_at"]
    if sweep is not None and sweep["finished_at"] is None and sweep["started_at"] < since:
        return True
    return gap_at is not None and (last is None or last["started_at"] < gap_at - 1.0)
