"""deploy/compose.yaml as processes of this machine: its SQL, its commands, its settings, with other addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

from tests.support.fixtures.cli import ROOT, Cli, LocalRedo, free_port, until
from tests.support.fixtures.postgres import MakeCluster

DEPLOY: Final = ROOT / "deploy"


def settings(environment: dict[str, str], addresses: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The environment's settings by section, with what compose's network and volumes are replaced."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in environment.items():
        section, key = name.removeprefix("CONNECTOR_").lower().split("__")
        for theirs, ours in addresses.items():
            value = value.replace(theirs, ours)  # noqa: PLW2901 -- one after the other
        found.setdefault(section, {})[key] = value
    return found


def test_the_rehearsals_orders_arrive_with_the_role_and_the_publication_that_its_dba_made(
    make_cluster: MakeCluster, tmp_path: Path
) -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    cluster, port = make_cluster(), free_port()
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        for mount in services["oms"]["volumes"]:
            if (path := DEPLOY / mount.split(":")[0]).suffix == ".sql":
                conn.execute(path.read_bytes())
    addresses = {
        "@oms:5432": f"@127.0.0.1:{cluster.port}",
        "sandbox:9465": f"127.0.0.1:{port}",
        "/etc/redo-connector/": f"{ROOT}/",
    }
    cli = Cli(tmp_path, settings(services["connector"]["environment"], addresses))
    cli.set("status", port=free_port())
    try:
        arguments = [
            {services["sandbox"]["command"][2]: "127.0.0.1", "9465": str(port)}.get(each, each)
            for each in services["sandbox"]["command"]
        ]
        redo = LocalRedo(cli.start(*arguments).until_said(r"redo.base_url = (\S+)"))
        checked = cli("check")
        assert (checked.code, "Ready: " in checked.out) == (0, True), checked.out
        daemon = cli.start(*services["connector"]["command"])
        until("all hundred orders are there", lambda: len(redo.orders()) == 100)
        with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
            conn.execute("UPDATE oms.order_item SET qty = 3 WHERE ord_id = 7 AND line_no = 1")
        until("the change arrives", lambda: redo.orders()["7"]["lineItems"][0]["quantity"] == 3)
        assert daemon.stop() == 0
    finally:
        cli.end()
