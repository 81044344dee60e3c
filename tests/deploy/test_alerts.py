"""Each alert fires, resolves and has a page; promtool takes the rules. (Against a running connector: test_watched.)"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest
import yaml

from connector.cli.main import main
from connector.settings import config
from connector.status import metric_names as names
from tests.deploy.promql import RULES, Rule, rules
from tests.support.fixtures.cli import ROOT

PAGES = ROOT / "docs" / "runbooks"
ALERTS = rules("alerts.yaml")
TESTS = sorted(set((RULES / "tests").glob("*.yaml")) - {RULES / "tests" / "unknown.yaml"})


def promtool(programs: Path, *arguments: str) -> None:
    done = subprocess.run(
        [programs / "promtool", *arguments], cwd=RULES, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules_and_the_configuration(prometheus_bindir: Path) -> None:
    promtool(prometheus_bindir, "check", "rules", "recording.yaml", "alerts.yaml")
    promtool(prometheus_bindir, "check", "config", "prometheus.yaml")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_resolve(prometheus_bindir: Path, path: Path) -> None:
    promtool(prometheus_bindir, "test", "rules", str(path.relative_to(RULES)))


Step: TypeAlias = list[dict[str, Any]]
"""The alerts that a test of promtool's expects at one time."""


def tried() -> dict[str, list[list[Step]]]:
    """By alert, the steps of each test that speaks of it."""
    found: dict[str, list[list[Step]]] = {}
    for path in TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for name in {step["alertname"] for step in test["alert_rule_test"]}:
                steps = [step["exp_alerts"] for step in test["alert_rule_test"] if step["alertname"] == name]
                found.setdefault(name, []).append(steps)
    return found


@pytest.mark.parametrize("rule", ALERTS, ids=str)
def test_every_alerting_rule_is_seen_silent_firing_and_silent_again(rule: Rule) -> None:
    assert rule.alert
    assert rule.labels

    def fires(step: Step) -> bool:
        return rule.labels in [{key: alert["exp_labels"].get(key) for key in rule.labels or {}} for alert in step]

    seen = ["".join("X" if fires(step) else "." for step in test) for test in tried()[rule.alert]]
    assert any(re.fullmatch(r"\.+X+\.+", each) for each in seen), seen


@pytest.mark.parametrize("rule", ALERTS, ids=str)
def test_every_alert_says_who_should_look_and_has_a_page(rule: Rule) -> None:
    assert rule.labels
    assert rule.annotations
    assert rule.labels["severity"] in {"critical", "warning"}
    assert set(rule.annotations) == {"summary", "description", "runbook_url"}
    assert rule.annotations["runbook_url"] == f"docs/runbooks/{rule.alert}.md"
    text = (PAGES / f"{rule.alert}.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ (.*)$", text, re.MULTILINE) == [
        rule.alert,
        "What it means",
        "How to look",
        "What to do",
    ]


def test_every_page_is_of_an_alert_and_in_the_index() -> None:
    alerts = {rule.alert for rule in ALERTS}
    pages = {path.stem for path in PAGES.glob("*.md")}
    assert pages - {"README"} == alerts
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == alerts


def commands(group: click.Group, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, command in group.commands.items():
        inner = (*path, name)
        found |= commands(command, inner) if isinstance(command, click.Group) else {inner}
    return found


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_pages_name_commands_options_settings_metrics_and_pages_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = commands(main)
    for words in re.findall(r"redo-connector ([a-z-]+(?: [a-z-]+)?)", text):
        path = tuple(words.split())
        assert path in known or path[:1] in known, words
    options = {name for path in known for name in _options(path)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= options
    sections = "|".join(config.Settings.model_fields)
    assert set(re.findall(rf"`((?:{sections})\.[a-z_]+)\b", text)) <= set(config.known_keys())
    suffixes = r"(?:_bucket|_count|_sum)?"
    assert {re.sub(suffixes + "$", "", name) for name in re.findall(r"redo_connector_\w+", text)} <= set(names.HELP)
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (page.parent / target).exists(), target


def _options(path: tuple[str, ...]) -> set[str]:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return {option for each in command.params for option in each.opts}
