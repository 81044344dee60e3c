"""The demo's other two processes: a local Redo and the real connector, started as a user would start them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2 as httpx

from connector.model.errors import ConnectorError

STOP_WITHIN = 30.0
CONNECTOR = (sys.executable, "-m", "connector")


class ProcessFailed(ConnectorError):
    """A process of the demo ended or never came up. The message ends with the tail of what it wrote."""


class Process:
    """`redo-connector VERB ...`, or another `program`, in its own process, its output in a file.

    Use as an async context manager.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = CONNECTOR,
    ) -> None:
        self.name = name
        self._command = (*program, *arguments)
        self._log = log
        self._env = {key: value for key, value in os.environ.items() if not key.startswith("CONNECTOR_")}
        self._env.update(env or {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    async def __aenter__(self) -> Process:
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._env,
                start_new_session=True,  # a Ctrl-C is for the demo, which then stops the others in order
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL when that takes too long. Returns the exit code."""
        process = self._running()
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_WITHIN)
            except TimeoutError:
                process.kill()
        return await process.wait()

    async def until_answers(self, url: str, timeout: float = 30.0) -> None:
        """Wait until `url` answers 200. Raises ProcessFailed when the process ends first, or in `timeout` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(url, timeout=5.0)).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass  # not up yet, or never: the process's end and the deadline tell
                self.check()
                if asyncio.get_running_loop().time() > deadline:
                    raise ProcessFailed(f"{self.name} did not answer at {url} in {timeout:.0f} s:\n{self.tail()}")
                await asyncio.sleep(0.05)

    def check(self) -> None:
        """Raises ProcessFailed when the process has ended."""
        code = self._running().returncode
        if code is not None:
            raise ProcessFailed(f"{self.name} ended with exit code {code}:\n{self.tail()}")

    def tail(self, lines: int = 20) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ProcessFailed(f"{self.name} was never started")
        return self._process
