"""How a panel looks, in the words of Grafana's Foundation SDK. It must not know what is shown.

https://grafana.github.io/grafana-foundation-sdk/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build_dashboard
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
M: Final = "redo_connector_"
"""What our metrics' names begin with."""
SELECT: Final = 'job=~"$job", instance=~"$instance"'
"""What the dashboard's variables choose."""
HIGH: Final = 8
"""Rows of a panel with a line."""
LOW: Final = 4
"""Rows of a panel with a number."""

Panel: TypeAlias = stat.Panel | timeseries.Panel | statetimeline.Panel
Steps: TypeAlias = tuple[tuple[float | None, str], ...]
"""From which value on which colour; the first one has no value."""

CALM: Final[Steps] = ((None, "text"),)
BAD_ABOVE_0: Final[Steps] = ((None, "green"), (1, "red"))
WARN_ABOVE_0: Final[Steps] = ((None, "green"), (1, "orange"))
NONE: Final = model.ValueMappingResult(text="none", color="#808080")
"""What stands for a value that there isn't: grey, because it is neither good nor bad."""
COUNT: Final = "locale"
"""Every digit: `short` would make 2 K of 1,500."""


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` may use labels: `{{reason}}`."""

    expr: str
    legend: str = ""


def of(metric: str, labels: str = "") -> str:
    """A selector of what the variables choose: `of("redo_connector_state", 'state="paused"')`."""
    return f"{metric}{{{SELECT}{', ' if labels else ''}{labels}}}"


def rate(metric: str, labels: str = "") -> str:
    return f"rate({of(metric, labels)}[$__rate_interval])"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Over all connectors that were chosen; one for each value of the label `by`, if named."""
    return f"histogram_quantile({share:g}, sum by ({'le' if not by else f'le, {by}'}) ({rate(histogram + '_bucket')}))"


def quantiles(histogram: str) -> Sequence[Query]:
    """Half, 95% and 99% of what was measured took no longer."""
    return [Query(quantile(share, histogram), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)]


def number(
    title: str,
    description: str,
    query: Query,
    *,
    unit: str = COUNT,
    steps: Steps = CALM,
    words: Mapping[str, tuple[str, str]] | None = None,
    decimals: int | None = None,
    width: int = 4,
) -> stat.Panel:
    """One number as it is now, a count without decimals. `words`: for a value, the text and colour that stand for
    it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .no_value("none")
        .mappings([*_words(words or {}), model.SpecialValueMap(_nothing())])
        .thresholds(_thresholds(steps))
        .color_mode(common.BigValueColorMode.BACKGROUND if steps != CALM else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(LOW)
        .span(width)
        .with_target(_target(query, "A").instant())
    )
    if decimals is not None or unit == COUNT:
        panel.decimals(decimals or 0)
    return panel


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str = COUNT,
    steps: Steps | None = None,
    stacked: bool = False,
    width: int = 8,
) -> timeseries.Panel:
    """Lines over time, counts without decimals; `steps` are drawn as lines, too."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .legend(_legend())
        .height(HIGH)
        .span(width)
    )
    if unit == COUNT:
        panel.decimals(0)
    for name, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, name).range())
    if steps:
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(build_common.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.LINE))
    if stacked:
        panel.stacking(build_common.StackingConfig().mode(common.StackingMode.NORMAL))
    return panel


def timeline(
    title: str, description: str, query: Query, *, words: Mapping[str, tuple[str, str]], width: int = 8
) -> statetimeline.Panel:
    """A bar for each series, in the colour and with the text of its value at each time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .mappings(_words(words))
        .no_value("none")
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.9)
        .fill_opacity(80)
        .legend(_legend())
        .height(HIGH)
        .span(width)
        .with_target(_target(query, "A").range())
    )


def _words(words: Mapping[str, tuple[str, str]]) -> list[model.ValueMapping]:
    results = {value: model.ValueMappingResult(text=text, color=color) for value, (text, color) in words.items()}
    return [model.ValueMap(options=results)] if results else []


def _nothing() -> model.DashboardSpecialValueMapOptions:
    return model.DashboardSpecialValueMapOptions(match=model.SpecialValueMatch.NULL_AND_NAN, result=NONE)


def _target(query: Query, name: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).expr(query.expr).legend_format(query.legend).ref_id(name)


def _legend() -> build_common.VizLegendOptions:
    options = build_common.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True)
    return options.placement(common.LegendPlacement.BOTTOM)


def _thresholds(steps: Steps) -> build_dashboard.ThresholdsConfig:
    found = [model.Threshold(value=value, color=color) for value, color in steps]
    return build_dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)
