"""What stands for Redo, in a process of its own: the lean receiver, or the sandbox, which checks every order.

Says which orders were pushed and when, and what is held in the end. Must not know what is measured.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx2 as httpx
import orjson

from benchmarks.certificate import write_certificate
from connector.demo.processes import Process
from connector.demo.run import free_port
from connector.sandbox.rules import errors_of

ROOT: Final = Path(__file__).resolve().parent.parent
STORE, SECRET = "bench-store", "bench-secret"  # of a Redo that holds made-up orders


@dataclass(frozen=True, slots=True)
class Push:
    """One push as Redo saw it: `began` when its body had arrived, `ended` when its answer was ready."""

    order: int
    began: float
    ended: float


class Redo(ABC):
    """A running stand-in; use as an async context manager."""

    def __init__(self, process: Process, base_url: str, verify: ssl.SSLContext | bool = True) -> None:
        self.process = process
        self.base_url = base_url
        self._client = httpx.AsyncClient(timeout=120.0, verify=verify)

    @property
    def env(self) -> Mapping[str, str]:
        """What the connector needs to reach it."""
        return {}

    async def __aenter__(self) -> Redo:
        await self.process.__aenter__()
        try:
            async with asyncio.timeout(30.0):
                while not await self._answers():  # noqa: ASYNC110 -- another process can't set an event
                    await asyncio.sleep(0.05)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        await self.process.stop()

    @abstractmethod
    async def pushes(self, since: float) -> list[Push]:
        """What was pushed since then (monotonic clock), in the order of the answers."""

    @abstractmethod
    async def orders(self, every: int = 1) -> list[bytes]:
        """The bodies that it holds, of orders whose number `every` divides."""

    async def get(self, path: str) -> bytes:
        return (await self._client.get(f"{self.base_url}{path}")).content

    async def _answers(self) -> bool:
        self.process.check()
        try:
            await self.get("/orders")
        except httpx.TransportError:
            return False
        return True


class Receiver(Redo):
    """`benchmarks.receiver`: the least that answers. The rules of the sandbox are applied to what it kept."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        port, log = free_port(), folder / "pushes.log"
        self._certificate = folder / "receiver.pem"
        arguments = ["--port", str(port), "--log", str(log)]
        verify: ssl.SSLContext | bool = True
        if tls:
            write_certificate(self._certificate)
            arguments += ["--certificate", str(self._certificate)]
            verify = ssl.create_default_context(cafile=str(self._certificate))
        program = ("env", "-C", str(ROOT), sys.executable, "-m", "benchmarks.receiver")
        process = Process("the receiver", arguments, folder / "receiver.log", program=program)
        super().__init__(process, f"{'https' if tls else 'http'}://127.0.0.1:{port}", verify)
        self._tls = tls
        self._log_file = log
        self._log: IO[str] | None = None
        self._rest = ""
        self._pushes: list[Push] = []

    @property
    def env(self) -> Mapping[str, str]:
        return {"SSL_CERT_FILE": str(self._certificate)} if self._tls else {}

    async def __aexit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()
        await super().__aexit__()

    async def pushes(self, since: float) -> list[Push]:
        self._log = self._log or self._log_file.open(encoding="utf-8")
        *lines, self._rest = (self._rest + self._log.read()).split("\n")
        for order, began, ended in map(str.split, lines):
            self._pushes.append(Push(int(order), float(began), float(ended)))
        return [push for push in self._pushes if push.began >= since]

    async def orders(self, every: int = 1) -> list[bytes]:
        return (await self.get(f"/orders?every={every}")).splitlines()


class Sandbox(Redo):
    """`redo-connector sandbox`: it checks what it gets, and throttles or fails on demand."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        arguments = ["sandbox", "--port", str(port), "--store-id", STORE, "--api-secret", SECRET]
        super().__init__(Process("the sandbox", arguments, folder / "sandbox.log"), f"http://127.0.0.1:{port}")

    async def pushes(self, since: float) -> list[Push]:
        began: dict[str, float] = {}
        found = []
        for event in map(orjson.loads, (await self.get("/_sandbox/log")).splitlines()):
            if event["at"] < since:
                continue
            if event["what"] == "begin":
                began[event["order_id"]] = event["at"]
            elif event["order_id"] in began:
                found.append(Push(int(event["order_id"]), began.pop(event["order_id"]), event["at"]))
        return found

    async def orders(self, every: int = 1) -> list[bytes]:
        held = (await self.get("/_sandbox/orders")).splitlines()
        return [body for body in held if every == 1 or int(orjson.loads(body)["id"]) % every == 0]

    async def stats(self) -> dict[str, Any]:
        """The counts so far."""
        found: dict[str, Any] = orjson.loads(await self.get("/_sandbox/stats"))
        return found

    async def switch(self, **switches: Any) -> None:
        """Set its switches; the others stay."""
        answer = await self._client.post(f"{self.base_url}/_sandbox/switches", json=switches)
        answer.raise_for_status()


def refused(bodies: list[bytes]) -> list[str]:
    """The ids of orders that break Redo's rules in the sandbox's opinion: a receiver that checks nothing took them."""
    return [order["id"] for order in map(orjson.loads, bodies) if errors_of(order)]
