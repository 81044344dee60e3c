"""What is noticed of an order's parts while they are read, and where in the payload these are.

A field's reader doesn't know its path. So it notes the part itself, and only an order of which something was noted is
searched for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

About: TypeAlias = Literal["decimals", "negative", "null"]


class Note(NamedTuple):
    """`part`: a money set with digits beyond the currency's decimals, or a negative one; or a list without its entry
    `at`, which was NULL or had one."""

    about: About
    part: object
    at: int = 0


def located(payload: Mapping[str, Any], notes: Sequence[Note]) -> Iterator[tuple[str, Note]]:
    """Each note with the path of its part, in the payload's order."""
    noted: dict[int, list[Note]] = {}
    for note in notes:
        noted.setdefault(id(note.part), []).append(note)
    for name, value in payload.items():
        if name != "transactions":  # they have none of these, and a gateway's fields may be nested deeply
            for path, part in _parts(name, value):
                for note in noted.get(id(part), ()):
                    yield path, note


def _parts(path: str, value: Any) -> Iterator[tuple[str, object]]:
    """Every object and list, the outer ones first."""
    if isinstance(value, dict):
        yield path, value
        for name, below in value.items():
            yield from _parts(f"{path}.{name}", below)
    elif isinstance(value, list):
        yield path, value
        for at, below in enumerate(value):
            yield from _parts(f"{path}[{at}]", below)
