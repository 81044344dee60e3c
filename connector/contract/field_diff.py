"""Which fields of two payloads differ, with both values, for the commands that show an order to a person.

Values are compared as in the canonical form. Nothing from here may go to a log or a metric.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from connector.contract import exact_json
from connector.contract.canonical import IDENTITIES, Ignored, same_amount, same_number

_PLACE: Final = re.compile(r"\[.*?\](?=[.\[]|$)")

Difference: TypeAlias = tuple[str, Any, Any]
"""Path, old value, new value; None where there is none."""


def differences(old: bytes | None, new: bytes) -> list[Difference]:
    """Every field that differs; without `old`, every field of `new`. Objects with an identity are named by it:
    `lineItems[id=77].quantity`."""
    before = exact_json.loads(old) if old else {}
    return list(_object("", before, exact_json.loads(new)))


def bare(path: str) -> str:
    """Without list indexes and identities: `lineItems.title` for `lineItems[id=77].title`."""
    return _PLACE.sub("", path)


def makes_none(path: str, ignored: Ignored) -> bool:
    """Whether a field is one of those that alone make no difference: `mapping.ignore`."""
    for step in bare(path).split("."):
        if step not in ignored:
            return False
        ignored = ignored[step]
        if not ignored:
            return True
    return False


def _object(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for name in [*new, *(name for name in old if name not in new)]:
        yield from _value(f"{path}.{name}" if path else name, name, old.get(name), new.get(name))


def _value(path: str, name: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) or isinstance(new, dict):
        if all(side is None or isinstance(side, dict) for side in (old, new)):
            yield from _object(path, old or {}, new or {})
            return
    elif _rows(old) or _rows(new):
        yield from _list(path, name, old or [], new or [])
        return
    if _plain(name, old) != _plain(name, new):
        yield path, old, new


def _rows(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(row, dict) for row in value)


def _list(path: str, name: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    before, after = _by_identity(name, old), _by_identity(name, new)
    for key in [*after, *(key for key in before if key not in after)]:
        yield from _value(f"{path}[{key}]", "", before.get(key), after.get(key))


def _by_identity(name: str, rows: list[Any]) -> dict[str, Any]:
    """The rows by identity (`id=77`, a repeated one with the row's index after it), else by index."""
    named: dict[str, Any] = {}
    for at, row in enumerate(rows):
        fields = [field for field in IDENTITIES.get(name, ()) if isinstance(row, dict) and field in row]
        key = ",".join(f"{field}={row[field]}" for field in fields) or str(at)
        named[key if key not in named else f"{key}#{at}"] = row
    return named


def _plain(name: str, value: Any) -> Any:
    """A value for comparison: None for null and empty, amounts without trailing zeros, tags sorted."""
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, str):
        return same_amount(value) if name in ("amount", "rate") else value
    if isinstance(value, list):
        return sorted(value, key=str) if name == "tags" else value
    number = same_number(value)
    return number if isinstance(number, int) else str(value)
