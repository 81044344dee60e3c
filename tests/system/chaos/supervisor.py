"""The connector as its supervisor sees it: a process that is started again whenever it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any, Protocol

import httpx2 as httpx

from tests.support.processes import stepped_child

RESTART_AFTER = 0.5
"""Seconds before an ended process is started again."""


class Supervised(Protocol):
    """One connector, or several of which one leads."""

    @property
    def ends(self) -> list[int]: ...

    async def status(self) -> dict[str, Any] | None: ...

    async def stop(self) -> None: ...

    def tail(self, lines: int = 15) -> str: ...


class Supervisor:
    """`redo-connector run` in a process of its own, its log in a file. Use as an async context manager."""

    def __init__(self, config: Path, log: Path, status_port: int) -> None:
        self.ends: list[int] = []
        """Exit codes of processes that ended without being asked to."""
        self.clock = config.with_name("clock")
        """Says by how many seconds the process's wall clock is wrong, for `set_clock`."""
        self.build: Path | None = None
        """Where another version is, whose clock can't be set."""
        self._config = config
        self._log = log
        self._url = f"http://127.0.0.1:{status_port}"
        self._process: asyncio.subprocess.Process | None = None
        self._wanted = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._client = httpx.AsyncClient(timeout=2.0)

    async def __aenter__(self) -> Supervisor:
        self._wanted.set()
        self._watch = asyncio.create_task(self._keep(), name="supervisor")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._client.aclose()

    async def kill(self) -> None:
        """SIGKILL; it is started again."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM; it isn't started again before `start`."""
        self._wanted.clear()
        await self._end(signal.SIGTERM)

    def start(self) -> None:
        self._wanted.set()

    @property
    def pid(self) -> int | None:
        """Of the running process, if any."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def status(self) -> dict[str, Any] | None:
        """What /api/status says, None when nobody answers."""
        try:
            found: dict[str, Any] = (await self._client.get(f"{self._url}/api/status")).json()
        except (httpx.HTTPError, ValueError):
            return None
        return found

    async def pushed(self) -> float | None:
        """Orders that Redo accepted from the running process, None when nobody answers."""
        try:
            text = (await self._client.get(f"{self._url}/metrics")).text
        except httpx.HTTPError:
            return None
        found = re.search(r'^redo_connector_orders_total\{result="pushed"\} (\S+)$', text, re.MULTILINE)
        return None if found is None else float(found[1])

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(number)
            await process.wait()

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            ours = (stepped_child.__name__, str(self.clock))
            with self._log.open("ab") as output:
                process = self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", *(ours if self.build is None else ("connector",)), "run"),
                    *("--config", str(self._config)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self._config.parent,
                    env={**os.environ, "PYTHONPATH": str(self.build or os.getcwd())},
                    start_new_session=True,
                )
            code = await process.wait()
            if self._process is process:
                self.ends.append(code)
                self._process = None
            await asyncio.sleep(RESTART_AFTER)
