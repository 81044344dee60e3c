"""What else decides which order a document becomes: the contract's code, and what that stands on.

With an equal signature equal documents make equal orders, so that an order is known by its row alone.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH

from connector import __version__

_ROOMS: Final = ("connector.contract", "connector.model")
LIBRARIES: Final = ("pydantic", "pydantic-core", "orjson")
"""Those that the contract uses."""


def signature(timezone: str, settings: Iterable[object]) -> bytes:
    """32 bytes. `settings`: whatever the outcome depends on, written the same in every process."""
    return sha256(repr((_code(), _zone(timezone), [*settings])).encode()).digest()


@cache
def _code() -> tuple[str, ...]:
    """The sources, so that nobody has to think of raising a number, and versions: of the package, should it come
    without sources, and of what the sources use."""
    sources = sha256()
    for room in _ROOMS:
        for name, text in sorted(_sources(files(room), room)):
            sources.update(repr((name, text)).encode())
    return sources.hexdigest(), __version__, platform.python_version(), *map(version, LIBRARIES)


def _sources(folder: Traversable, name: str) -> Iterable[tuple[str, str]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _sources(one, f"{name}/{one.name}")
        elif one.name.endswith(".py"):
            yield f"{name}/{one.name}", one.read_text(encoding="utf-8")


def _zone(timezone: str) -> str:
    """A hash of the zone's rules, which governments change: of the first file that `zoneinfo` would take."""
    for folder in TZPATH:
        if (file := Path(folder, timezone)).is_file():
            return sha256(file.read_bytes()).hexdigest()
    return version("tzdata")
