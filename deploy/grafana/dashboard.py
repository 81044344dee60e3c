"""The dashboard, row by row: first whether all is well, then the road from the OMS to Redo in its order."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana import rows_redo, rows_road, rows_verdict
from deploy.grafana.panels import SOURCE, M

FILE: Final = Path(__file__).with_name("redo-connector.json")

ROWS: Final = (
    ("Verdict and SLO", rows_verdict.verdict),
    ("The road", rows_road.road),
    ("Source safety", rows_road.source),
    ("Redo API", rows_redo.redo),
    ("Dead letters and holds", rows_redo.refused),
    ("Process", rows_verdict.process),
)


def dashboard() -> model.Dashboard:
    made = (
        build.Dashboard("redo-connector")
        .uid("redo-connector")
        .description("Whether Redo's copy of the OMS's orders is true, and what stands in the way.")
        .tags(["redo-connector"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("job", f"label_values({M}build_info, job)"))
        .with_variable(_variable("instance", f'label_values({M}build_info{{job=~"$job"}}, instance)'))
    )
    numbers = itertools.count(1)
    for title, panels in ROWS:
        made.with_row(build.Row(title).id(next(numbers)))
        for panel in panels():
            made.with_panel(panel.id(next(numbers)))
    return made.build()


def _variable(name: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def rendered() -> str:
    return json.dumps(dashboard(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
