"""The command as a user starts it: a process of its own, a settings file, a small shop and a local Redo.

Every call is checked for what no output may hold: a traceback, a password, a token.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from connector.demo.postgres import Cluster
from connector.sandbox.faults.switches import Switches
from tests.support import forked
from tests.support.fix_postgres import Database, create_database, drop_database
from tests.support.forked import Forked

ROOT = Path(__file__).parents[2]
TOKEN = "hush-hush-4711"
PASSWORD = "hunter2"
WITHIN = 75.0

SHOP = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id bigint PRIMARY KEY, email text NOT NULL, share int NOT NULL DEFAULT 1);
CREATE TABLE shop.item (order_id bigint, line int, sku text NOT NULL, qty int NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE shop.note (order_id bigint, no int, body text, PRIMARY KEY (order_id, no));
CREATE TABLE shop.diary (day date, entry text);
INSERT INTO shop.orders SELECT id, 'buyer' || id || '@shop.example' FROM generate_series(1, 6) AS id;
INSERT INTO shop.item SELECT id, 1, 'mug', 2 FROM shop.orders;
ANALYZE;
"""

MAPPING = """
SELECT
    o.id::text AS id,
    '2026-01-05 10:00Z'::timestamptz AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    'shelf ' || 100 / o.share AS sales_channel,
    jsonb_build_object('email', o.email, 'first_name', 'Ada', 'last_name', 'Byron') AS customer,
    jsonb_build_object(
        'address1', '1 Main St', 'city', 'Provo', 'province_code', 'UT', 'zip', '84601', 'country_code', 'US'
    ) AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object(
        'id', i.order_id || '-' || i.line, 'product_id', i.sku, 'sku', i.sku, 'title', i.sku || coalesce(n.body, ''),
        'quantity', i.qty, 'price_set', 12.5
    ) ORDER BY i.line) FROM shop.item i WHERE i.order_id = o.id) AS line_items,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments
FROM shop.orders o
LEFT JOIN shop.note n ON n.order_id = o.id
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one call did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class Daemon:
    """A verb that goes on until it is told to stop; what it writes to standard error is in a file."""

    process: Forked
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def until_said(self, pattern: str) -> str:
        """The first group (or all) of what matches, once it was written."""

        def match() -> re.Match[str] | None:
            found = re.search(pattern, self.said())
            assert found or self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said()}"
            return found

        found = until(f"it says {pattern}", match)
        return str(found.group(found.lastindex or 0))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN)


def until(what: str, check: Callable[[], Any]) -> Any:
    """Wait until `check` returns something true, and return it."""
    deadline = time.monotonic() + WITHIN
    while not (found := check()):
        assert time.monotonic() < deadline, f"did not come true in {WITHIN:.0f} s: {what}"
        time.sleep(0.03)
    return found


@dataclass(slots=True)
class Cli:
    """`cli("check", "--json")`, in a folder with connector.toml and mapping.sql made of the fields here."""

    folder: Path
    settings: dict[str, dict[str, Any]]
    mapping: str = MAPPING
    daemons: list[Daemon] = field(default_factory=list)

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None, typed: str = "") -> Ran:
        self._write()
        environment = self._environment(env)
        done = forked.run(
            "connector", *arguments, folder=self.folder, environment=environment, timeout=WITHIN, typed=typed
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        # A preview shows one order to one person; that is what it is for.
        self._discreet(ran.err if "preview" in arguments else ran.out + ran.err)
        return ran

    def start(self, *arguments: str) -> Daemon:
        self._write()
        log = self.folder / f"{arguments[0]}-{len(self.daemons)}.log"
        with log.open("wb") as output:
            streams = [None, None if arguments[0] == "run" else output, output]
            process = Forked(
                "connector", *arguments, folder=self.folder, environment=self._environment(), streams=streams
            )
        self.daemons.append(Daemon(process, log))
        return self.daemons[-1]

    def facts(self) -> Any:
        """What the running connector says of itself."""
        return httpx.get(f"http://127.0.0.1:{self.settings['status']['port']}/api/status").json()

    def set(self, section: str, **values: Any) -> None:
        self.settings.setdefault(section, {}).update(values)

    def end(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
            daemon.process.wait()
            self._discreet(daemon.said())

    def _write(self) -> None:
        lines = [
            f"[{section}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
            for section, values in self.settings.items()
        ]
        (self.folder / "connector.toml").write_text("\n".join(lines))
        (self.folder / "mapping.sql").write_text(self.mapping)

    def _environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        mine = {key: value for key, value in os.environ.items() if not key.startswith(("CONNECTOR_", "COLUMNS"))}
        return {**mine, "PYTHONPATH": str(ROOT), **(more or {})}

    def _discreet(self, text: str) -> None:
        assert "Traceback" not in text, text
        for secret in (TOKEN, PASSWORD, "@shop.example"):
            assert secret not in text, text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(cli: Cli) -> Daemon:
    """`run`, once it follows."""
    daemon = cli.start("run")
    daemon.until_said("started")
    return daemon


@dataclass(frozen=True, slots=True)
class LocalRedo:
    """`redo-connector sandbox` in a process of its own."""

    base_url: str

    def switch(self, **switches: Any) -> None:
        answer = httpx.post(f"{self.base_url}/_sandbox/switches", json=switches)
        assert answer.is_success, answer.text

    def switches(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.base_url}/_sandbox/switches").json()
        return found

    def orders(self) -> dict[str, Any]:
        lines = httpx.get(f"{self.base_url}/_sandbox/orders").text.splitlines()
        return {order["id"]: order for order in map(json.loads, lines)}

    def stats(self) -> Any:
        return httpx.get(f"{self.base_url}/_sandbox/stats").json()


@pytest.fixture(scope="session")
def redo_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedo]:
    keeper = Cli(tmp_path_factory.mktemp("redo"), {})
    daemon = keeper.start("sandbox", "--port", "0", "--store-id", "shop", "--api-secret", TOKEN)
    yield LocalRedo(daemon.until_said(r"redo.base_url = (\S+)"))
    assert daemon.stop() == 0


@pytest.fixture
def redo(redo_process: LocalRedo) -> LocalRedo:
    """The local Redo, empty and well behaved."""
    httpx.post(f"{redo_process.base_url}/_sandbox/reset").raise_for_status()
    left, usual = redo_process.switches(), asdict(Switches())
    # A number that was sent as a whole one is one.
    redo_process.switch(
        **{
            name: int(value) if isinstance(value, float) and isinstance(left[name], int) else value
            for name, value in usual.items()
            if left[name] != value
        }
    )
    return redo_process


@pytest.fixture(scope="session")
def shop_template(cluster: Cluster) -> Database:
    made = create_database(cluster)
    with made.connect() as conn:
        conn.execute(SHOP)
    return made


@pytest.fixture
def shop(cluster: Cluster, shop_template: Database) -> Iterator[Database]:
    """A database of the test's own with six orders."""
    made = create_database(cluster, shop_template.name)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Cli]:
    """Settings that are complete, and lead nowhere."""
    dsn = f"postgresql://clerk:{PASSWORD}@127.0.0.1:1/shop"
    settings = {
        "source": {"dsn": dsn},
        "redo": {"store_id": "shop", "api_secret": TOKEN, "base_url": "http://127.0.0.1:1"},
        "log": {"format": "console"},
    }
    made = Cli(tmp_path, settings)
    yield made
    made.end()


@pytest.fixture
def cli(offline: Cli, shop: Database, redo: LocalRedo) -> Cli:
    """The command in front of a shop and a Redo that work; nothing was run yet."""
    offline.set("source", dsn=shop.dsn, slot=f"slot_{shop.name}")
    offline.set("redo", base_url=redo.base_url)
    offline.set("status", port=free_port())
    return offline
