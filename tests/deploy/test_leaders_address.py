"""deploy/kubernetes/pair/haproxy.cfg in a real HAProxy, in front of two real connectors."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2 as httpx
import pytest

from tests.support.fixtures.cli import ROOT, WITHIN, free_port, until
from tests.support.fixtures.pair import Pair, facts
from tests.support.names import name_server
from tests.support.programs.debian import PackageMissing
from tests.support.programs.haproxy import haproxy

CONFIG: Final = ROOT / "deploy" / "kubernetes" / "pair" / "haproxy.cfg"


@pytest.fixture
def address(pair: Pair, tmp_path: Path) -> Iterator[str]:
    """That follows the leader. Each of the two has an address of its own and the same port, as pods have."""
    try:
        program, environment = haproxy()
    except PackageMissing as reason:
        pytest.skip(str(reason))
    port, hosts = free_port(), ("127.0.0.1", "127.0.0.2")
    for cli, host in zip(pair.both, hosts, strict=True):
        cli.set("status", host=host, port=pair.one.settings["status"]["port"])
    with name_server(hosts) as names:
        text = CONFIG.read_text(encoding="utf-8")
        for theirs, ours in (
            ("parse-resolv-conf", f"nameserver here 127.0.0.1:{names}"),
            ("bind :9464", f"bind :{port}"),
        ):
            assert theirs in text
            text = text.replace(theirs, ours)
        (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
        environment["CONNECTORS"] = f"connectors.shop.example:{pair.one.settings['status']['port']}"
        with (tmp_path / "haproxy.log").open("wb") as log:
            process = subprocess.Popen(
                [program, "-f", str(tmp_path / "haproxy.cfg")],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(WITHIN)


def test_one_address_leads_to_the_leader_before_and_after_a_takeover_and_when_it_is_not_ready(
    pair: Pair, address: str
) -> None:
    def asked() -> Any:
        try:
            answer = httpx.get(f"{address}/api/status")
        except httpx.HTTPError:
            return None
        return answer.json()["leader"] if answer.is_success else None

    def answers(name: str) -> bool:
        """Each time."""
        found = [asked() for _ in range(4)]
        return all(each is not None and (each["instance"], each["here"]) == (name, True) for each in found)

    pair.lead_and_wait()
    until("it leads to the leader", lambda: answers("one"))
    assert pair.one("pause").code == 0
    until("the leader isn't ready", lambda: httpx.get(f"{address}/readyz").status_code == 503)
    assert answers("one")
    assert pair.one("resume").code == 0
    pair.daemon(pair.one).process.send_signal(signal.SIGKILL)
    until("it leads to the one that took over", lambda: answers("two"))
    pair.daemon(pair.one).process.wait(WITHIN)
    pair.start(pair.one)
    until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
    assert answers("two")
    assert pair.two("step-down").code == 0
    until("it follows a step-down, too", lambda: answers("one"))
