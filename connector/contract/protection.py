"""The line by which an order says that the shopper bought Redo's protection.

Redo's marks: vendor `re:do`, sku `x-redo`, tags and a property `_redo_type` that both say what was bought
(`custom-order-sync`). A line with only some of them would silently lose the shopper's coverage, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from connector.contract.rules.rule_book import Finding

VENDOR: Final = "re:do"
SKU: Final = "x-redo"
PROPERTY: Final = "_redo_type"

_COVERAGE: Final[Mapping[str, frozenset[str]]] = {
    "returns": frozenset({"returns"}),
    "return": frozenset({"returns"}),
    "package-protection": frozenset({"package-protection"}),
    "both": frozenset({"returns", "package-protection"}),
    "final-sale": frozenset({"final-sale"}),
}
_BETWEEN: Final = re.compile(r"[\s_-]+")
_KNOWN: Final = "returns, package protection, both, final sale, or a comma-separated mix of them"

Line = Mapping[str, Any]


@lru_cache(maxsize=256)
def coverage(words: str) -> frozenset[str] | None:
    """What a `_redo_type` or a tag says was bought; None when any part of it is unknown. Case doesn't count; spaces,
    underscores and hyphens are the same; `return` is the older guide's word for `returns`."""
    bought: set[str] = set()
    for part in words.split(","):
        kinds = _COVERAGE.get(_BETWEEN.sub("-", part.strip().casefold()))
        if kinds is None:
            return None
        bought |= kinds
    return frozenset(bought)


def protection(lines: Sequence[tuple[int, Line]]) -> Iterator[Finding]:
    """Check the protection line among the order's lines, each given with its index."""
    marked = [(f"lineItems[{at}]", line) for at, line in lines if _marked(line)]
    for where, _ in marked[1:]:
        yield _finding(where, "is a second Redo protection line: an order carries at most one")
    for where, line in marked:
        yield from _marks(where, line)


def _marked(line: Line) -> bool:
    return _is(line.get("vendor"), VENDOR) or _is(line.get("sku"), SKU) or bool(_types(line))


def _is(value: object, mark: str) -> bool:
    return type(value) is str and mark in (folded := value.casefold()) and folded.strip() == mark


def _types(line: Line) -> list[tuple[int, str]]:
    """The `_redo_type` properties, each with its place."""
    rows = line.get("properties")
    if not rows or type(rows) is not list:
        return []
    return [
        (at, row["value"])
        for at, row in enumerate(rows)
        if isinstance(row, dict) and row.get("name") == PROPERTY and isinstance(row.get("value"), str)
    ]


def _tags(line: Line) -> list[str]:
    tags = line.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _marks(where: str, line: Line) -> Iterator[Finding]:
    for field, mark in (("vendor", VENDOR), ("sku", SKU)):
        if line.get(field) != mark:
            yield _finding(f"{where}.{field}", f"must be exactly {mark} on the Redo protection line")
    types, tags = _types(line), _tags(line)
    if len(types) != 1:
        problem = "must hold one" if not types else "must hold only one"
        yield _finding(f"{where}.properties", f"{problem} {PROPERTY} that says what was bought: {_KNOWN}")
    if not tags:
        yield _finding(f"{where}.tags", f"must say what was bought: {_KNOWN}")
    by_type, by_tag = [coverage(words) for _, words in types], [coverage(words) for words in tags]
    if None in by_type or None in by_tag:
        places = [*(f"properties[{at}].value" for at, _ in types), *(f"tags[{at}]" for at in range(len(tags)))]
        for place, kinds in zip(places, by_type + by_tag, strict=True):
            if kinds is None:
                yield _finding(f"{where}.{place}", f"must be one of {_KNOWN}: Redo reads any other as plain returns")
    elif types and tags and _union(by_type) != _union(by_tag):
        yield _finding(f"{where}.tags", f"must agree with {PROPERTY}: Redo reads {PROPERTY} and ignores the tags")


def _finding(path: str, message: str) -> Finding:
    return Finding("coverage", path, message)


def _union(bought: Sequence[frozenset[str] | None]) -> frozenset[str]:
    return frozenset().union(*[kinds for kinds in bought if kinds is not None])
