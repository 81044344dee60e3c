"""The dashboard is what its code builds, and its expressions read metrics that there are. (With data: test_watched.)"""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from connector.status import metric_names as names
from connector.status.facts import State
from connector.status.metrics import Metrics
from deploy.grafana.dashboard import ROWS, rendered
from tests.deploy.promql import DASHBOARD, dashboard_expressions, panels, rules, selectors
from tests.support.fixtures.cli import ROOT

EXPRESSIONS = {
    **dashboard_expressions(),
    **{f"{number}: {rule}": rule.expr for number, rule in enumerate(rules("recording.yaml", "alerts.yaml"))},
}


def samples() -> set[str]:
    """Every name that a connector's /metrics may have."""
    families = list(text_string_to_metric_families(Metrics().exposition().decode()))
    histograms = [family.name for family in families if family.type == "histogram"]
    of_histograms = {f"{name}{suffix}" for name in histograms for suffix in ("_bucket", "_count", "_sum")}
    return set(names.HELP) | of_histograms | {sample.name for family in families for sample in family.samples}


def test_the_committed_dashboard_is_what_the_code_builds() -> None:
    assert DASHBOARD.read_text(encoding="utf-8") == rendered(), "run: make dashboards"


def test_grafanas_own_model_reads_the_file_and_loses_nothing() -> None:
    read = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(Dashboard.from_json(read), cls=JSONEncoder)) == read


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_reads_metrics_that_there_are(name: str) -> None:
    known = samples() | {rule.record for rule in rules("recording.yaml")} | {"ALERTS"}
    read = set(selectors(EXPRESSIONS[name]).values())
    assert read
    assert read <= known


def test_every_metric_is_on_the_dashboard() -> None:
    read = {metric for expression in dashboard_expressions().values() for metric in selectors(expression).values()}
    for suffix in ("_bucket", "_count", "_sum"):
        read |= {metric.removesuffix(suffix) for metric in read}
    assert set(names.HELP) - read == set()


def test_panels_have_names_of_their_own_queries_by_the_variables_and_places_that_do_not_overlap() -> None:
    shown = list(panels())
    assert max(Counter(panel["title"] for panel in shown).values()) == 1
    assert max(Counter(panel["id"] for panel in shown).values()) == 1
    for panel in shown:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert all('job=~"$job"' in text for text in target["expr"].split("{")[1:] if "alertname" not in text)
    places = [panel["gridPos"] for panel in shown]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_the_rows_are_those_that_are_promised() -> None:
    assert [title for title, _ in ROWS] == [
        "Verdict and SLO",
        "The road",
        "Source safety",
        "Redo API",
        "Dead letters and holds",
        "Process",
    ]


def test_the_duration_of_a_request_is_shown_over_all_answers_and_by_answer() -> None:
    duration = "redo_connector_http_request_duration_seconds_bucket"
    shown = {name: text for name, text in dashboard_expressions().items() if duration in text}
    assert {name for name in shown if name.startswith("Duration of a request ")} >= {"Duration of a request A"}
    assert all("sum by (le) (" in text for name, text in shown.items() if "by answer" not in name)
    assert "sum by (le, code) (" in shown["Duration of a request, by answer A"]


def test_the_first_row_leads_with_the_lag_and_has_what_waits_for_a_person() -> None:
    top = min(panel["gridPos"]["y"] for panel in panels())
    first = [panel["title"] for panel in panels() if panel["gridPos"]["y"] == top]
    assert first == ["Sync lag", "Verdict", "Alerts firing", "Orders held", "Dead letters", "Stores paused"]


def test_the_state_is_a_timeline_with_a_word_and_a_colour_for_every_state() -> None:
    (state,) = [panel for panel in panels() if panel["type"] == "state-timeline"]
    (words,) = state["fieldConfig"]["defaults"]["mappings"]
    assert {word["text"] for word in words["options"].values()} == set(State)
    assert all(f'state="{word}"' in state["targets"][0]["expr"] for word in State)


def test_grafana_is_told_where_prometheus_and_the_dashboard_are() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text(encoding="utf-8"))
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    boards = yaml.safe_load((folder / "dashboards" / "redo-connector.yaml").read_text(encoding="utf-8"))
    assert [provider["type"] for provider in boards["providers"]] == ["file"]
