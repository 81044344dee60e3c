"""Fixtures with a real Prometheus, which scrapes a real connector each second by the rules in deploy/prometheus."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2 as httpx
import pytest
import yaml

from tests.support import prometheus
from tests.support.fix_cli import ROOT, WITHIN, free_port, until

RULES: Final = ROOT / "deploy" / "prometheus"


@dataclass(frozen=True, slots=True)
class Prometheus:
    url: str
    client: httpx.Client

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self.client.get(f"{self.url}/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def query(self, expression: str) -> list[float]:
        """The values that there are now; unknown ones (NaN) are left out."""
        samples = self.ask("query", query=expression)["result"]
        return [number for sample in samples if not math.isnan(number := float(sample["value"][1]))]


Watch = Callable[[int], Prometheus]
"""`watch(port)`: a Prometheus that has scraped a connector there at least once."""


def programs() -> Path:
    """In CI (`CI` is set) a test that needs them never passes without."""
    try:
        return prometheus.bindir()
    except prometheus.PrometheusMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def prometheus_bindir() -> Path:
    return programs()


@pytest.fixture
def watch(prometheus_bindir: Path, tmp_path: Path) -> Iterator[Watch]:
    running: list[subprocess.Popen[bytes]] = []
    client = httpx.Client()

    def start(port: int) -> Prometheus:
        config = yaml.safe_load((RULES / "prometheus.yaml").read_text(encoding="utf-8"))
        config["global"] = dict.fromkeys(config["global"], "1s")
        config["rule_files"] = [str(RULES / name) for name in config["rule_files"]]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
        (tmp_path / "prometheus.json").write_text(json.dumps(config), encoding="utf-8")
        made = Prometheus(f"http://127.0.0.1:{free_port()}", client)
        command = [
            str(prometheus_bindir / "prometheus"),
            f"--config.file={tmp_path / 'prometheus.json'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address={made.url.removeprefix('http://')}",
        ]
        log = tmp_path / "prometheus.log"
        with log.open("wb") as output:
            running.append(subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL))

        def scraped() -> bool:
            assert running[-1].poll() is None, log.read_text()
            try:
                ready = client.get(f"{made.url}/-/ready").is_success
            except httpx.TransportError:
                return False
            return ready and made.query("up") == [1.0]

        until("Prometheus has scraped the connector", scraped)
        return made

    yield start
    client.close()
    for process in running:
        process.terminate()
        process.wait(WITHIN)
