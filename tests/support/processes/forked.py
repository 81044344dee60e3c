"""Programs of the project, each in a process of its own, without a second of imports for each.

A server process imports everything once and forks for every program: what starts is the module as `python -m` would
run it, with its own arguments, environment, folder and standard streams. What an interpreter decides before it runs
anything (its encoding, its warnings) is the server's; the walks through the README and the guide start real ones.
"""

from __future__ import annotations

import asyncio
import gc
import io
import multiprocessing
import os
import pkgutil
import random
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, Protocol

import connector

_context: Final = multiprocessing.get_context("forkserver")
_modules = [
    each.name for each in pkgutil.walk_packages(connector.__path__, "connector.") if "__main__" not in each.name
]
_context.set_forkserver_preload([*_modules, "tests.support.certificates"])


class _Stream(Protocol):
    """What `DupFd` becomes where it arrives."""

    def detach(self) -> int: ...


class HasFileno(Protocol):
    def fileno(self) -> int: ...


Stream = HasFileno | int | None
"""A file, a file descriptor, or nothing: /dev/null."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program that was waited for ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Forked:
    """A running program, with the methods of `subprocess.Popen` that tests use. It ends with the test process."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str],
        streams: Sequence[Stream],
    ) -> None:
        """`streams`: its standard input, output and error."""
        self._process = _Program(module, arguments, folder, environment, streams)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of `subprocess`: a signal that ended it is negative."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return self.returncode

    async def ended(self) -> int:
        """Wait while the event loop goes on. Not in a thread: two of them that look at a process take turns badly."""
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        return self.wait()

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    module: str, *arguments: str, folder: Path, environment: Mapping[str, str], timeout: float, typed: str = ""
) -> Ended:
    """Start it, and wait until it has ended. Raises subprocess.TimeoutExpired once it was killed for that."""
    with _files(typed) as streams:
        program = Forked(module, *arguments, folder=folder, environment=environment, streams=streams)
        try:
            return _ended(program.wait(timeout), *streams[1:])
        finally:
            program.kill()


async def finish(module: str, *arguments: str, folder: Path, environment: Mapping[str, str]) -> Ended:
    """`run` for a test with an event loop that must go on."""
    with _files() as streams:
        program = Forked(module, *arguments, folder=folder, environment=environment, streams=streams)
        try:
            return _ended(await program.ended(), *streams[1:])
        finally:
            program.kill()


@contextmanager
def _files(typed: str = "") -> Iterator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    """Standard streams: what is typed, and where it writes."""
    with TemporaryFile() as entered, TemporaryFile() as output, TemporaryFile() as error:
        entered.write(typed.encode())
        entered.seek(0)
        yield entered, output, error


def _ended(code: int, *written: IO[bytes]) -> Ended:
    for file in written:
        file.seek(0)
    return Ended(code, *(file.read().decode() for file in written))


class _Program(ForkServerProcess):
    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: Sequence[Stream],
    ) -> None:
        super().__init__(name=" ".join(["python -m", module, *arguments]), daemon=True)
        self._module = module
        self._arguments = list(arguments)
        self._folder = folder
        self._environment = dict(environment)
        self._streams: Sequence[Any] = streams

    def start(self) -> None:
        with Path(os.devnull).open("r+b") as nothing:
            files = [nothing if each is None else each for each in self._streams]
            self._streams = [_Passed(each if isinstance(each, int) else each.fileno()) for each in files]
            super().start()

    def run(self) -> None:
        gc.freeze()
        for number, stream in enumerate(self._streams):
            os.dup2(stream.detach(), number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False))
        sys.stdout = _writer(1)
        sys.stderr = _writer(2)
        os.chdir(self._folder)
        os.environ.clear()
        os.environ.update(self._environment)
        random.seed()
        sys.argv = [self._module, *self._arguments]
        runpy.run_module(self._module, run_name="__main__", alter_sys=True)


class _Passed:
    """A file descriptor that is passed on when it is pickled for the process that starts."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return (_arrived, (DupFd(self._number),))


def _arrived(stream: _Stream) -> _Stream:
    return stream


def _writer(number: int) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    errors = "strict" if number == 1 else "backslashreplace"
    return io.TextIOWrapper(io.BufferedWriter(raw), errors=errors, line_buffering=number == 2 or raw.isatty())
