"""The expressions of the dashboard and of the rules, and what they read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import promql_parser
import yaml

from tests.support.fixtures.cli import ROOT

DASHBOARD: Final = ROOT / "deploy" / "grafana" / "redo-connector.json"
RULES: Final = ROOT / "deploy" / "prometheus"

_CHOSEN: Final = {"$job": ".*", "$instance": ".*", "$__rate_interval": "10m"}
"""What Grafana puts in for its variables. Minutes, so that a slow machine still sees what a test did first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording or alerting rule, as its file has it."""

    record: str | None = None
    alert: str | None = None
    expr: str = ""
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.record or self.alert} {self.labels or ''}".rstrip()


def panels() -> Iterator[dict[str, Any]]:
    """Those that show something."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def dashboard_expressions() -> dict[str, str]:
    """By panel and the query's letter: `Memory A`."""
    return {
        f"{panel['title']} {target['refId']}": chosen(target["expr"])
        for panel in panels()
        for target in panel["targets"]
    }


def chosen(expression: str) -> str:
    for variable, value in _CHOSEN.items():
        expression = expression.replace(variable, value)
    return expression


def rules(*files: str) -> list[Rule]:
    read = (yaml.safe_load((RULES / name).read_text(encoding="utf-8")) for name in files)
    keys = ("record", "alert", "expr", "labels", "annotations")
    return [
        Rule(**{key: rule[key] for key in keys if key in rule})
        for file in read
        for group in file["groups"]
        for rule in group["rules"]
    ]


def selectors(expression: str) -> dict[str, str]:
    """Everything that it reads from the data base, as PromQL, and the metric's name. Raises ValueError for what isn't
    PromQL."""
    found: dict[str, str] = {}

    def look(part: promql_parser.Expr) -> bool:
        selector = part.vector_selector if isinstance(part, promql_parser.MatrixSelector) else part
        if isinstance(selector, promql_parser.VectorSelector):
            assert selector.name, f"{selector} names no metric"
            found[str(selector)] = selector.name
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return found
