"""Which of the connector's statements read large tables whole: by auto_explain, from the server's log.

https://www.postgresql.org/docs/current/auto-explain.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SETTINGS: Final = (
    "session_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_timing = off",
    "auto_explain.log_format = 'json'",
    "log_line_prefix = '%a '",
)
"""Of every session from now on. Without the clock of each node it costs less than the rates vary."""

_PLAN: Final = re.compile(r"^redo-connector LOG: .* plan:\n((?:\t.*\n)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scan:
    """How often a statement read a table whole, and rows that it read."""

    query: str
    scans: int
    rows: int


def scans(log: str, tables: Collection[str]) -> Iterator[Scan]:
    """Sequential scans of these tables (names without a schema) by sessions of the connector's."""
    for found in _PLAN.finditer(log):
        explained = json.loads(found[1])
        for node in _nodes(explained["Plan"]):
            loops = node.get("Actual Loops", 0)  # none of what an EXPLAIN only plans
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in tables and loops:
                read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                yield Scan(explained["Query Text"], loops, round(read * loops))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)
