"""Where every task and thread stands, as lines of code: names of files and functions, and no values."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import tempfile
from pathlib import PurePath
from types import FrameType
from typing import Any

_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")


def task_lines(loop: asyncio.AbstractEventLoop) -> list[str]:
    """One line a task, its innermost place last. May be called from another thread, for what was true a moment ago."""
    return sorted(f"task {task.get_name()}: {' > '.join(_places(task))}" for task in asyncio.all_tasks(loop))


def thread_lines() -> str:
    """As faulthandler prints them. Not straight to standard error: it writes with the interpreter held, and would stop
    everything for as long as nobody reads there."""
    memory = os.memfd_create("stacks") if hasattr(os, "memfd_create") else None
    with os.fdopen(memory, "w+b") if memory is not None else tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read().decode(errors="replace")


def _places(task: asyncio.Task[Any]) -> list[str]:
    found: list[str] = []
    at: object = task.get_coro()
    while isinstance(frame := _first(at, _FRAMES), FrameType):
        file = "/".join(PurePath(frame.f_code.co_filename).parts[-2:])
        found.append(f"{file}:{frame.f_lineno} {frame.f_code.co_name}")
        at = _first(at, _AWAITED)
    return found or ["ended"]


def _first(one: object, names: tuple[str, ...]) -> object:
    """The first of these attributes that holds something."""
    return next((value for name in names if (value := getattr(one, name, None)) is not None), None)
