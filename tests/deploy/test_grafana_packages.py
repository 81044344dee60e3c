"""The dashboard in the hands of Grafana's own packages: their types take each panel, their code draws each tile.

Fetched with npm, pinned; where npm is missing or has no registry these tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from deploy.grafana.panels import COUNT
from tests.deploy.promql import DASHBOARD, panels

PACKAGES: Final = (
    "@grafana/data@13.2.3",
    "@grafana/schema@13.2.3",
    "react@19.2.0",
    "react-dom@19.2.0",
    "typescript@5.9.3",
)
KINDS: Final = {
    "stat": "stat/panelcfg/x/StatPanelCfg_types.gen",
    "timeseries": "timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen",
    "state-timeline": "statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen",
}
JSON_OF: Final = """
type Json<T> = T extends string ? `${T}` : T extends (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
"""
"""An enum's member is in JSON what it stands for."""
FETCHED_WITHIN: Final = 90.0
GREY: Final = "#808080"
TSC: Final = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022")
RESOLUTION: Final = ("--module", "nodenext", "--moduleResolution", "nodenext")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which they are installed; nothing of theirs is run for that."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm or node is missing, so Grafana's packages can't be fetched")
    folder = tmp_path_factory.mktemp("grafana")
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    command = [npm, "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=FETCHED_WITHIN)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not fetch {PACKAGES} in {FETCHED_WITHIN:.0f} s")
    if done.returncode:
        pytest.skip(f"npm could not fetch {PACKAGES}: {done.stderr.strip()[-200:]}")
    return folder


def typescript() -> Iterator[str]:
    """Each panel, with its options and what it draws with, as a value of the type that Grafana gives them."""
    yield "import type { Panel } from '@grafana/schema';"
    for number, path in enumerate(KINDS.values()):
        yield f"import type * as Kind{number} from '@grafana/schema/dist/esm/raw/composable/{path}';"
    yield JSON_OF
    for number, panel in enumerate(panels()):
        kind = f"Kind{list(KINDS).index(panel['type'])}"
        yield f"export const panel{number}: Json<Panel> = {json.dumps(panel)};"
        yield f"export const options{number}: Json<{kind}.Options> = {json.dumps(panel['options'])};"
        custom = panel["fieldConfig"]["defaults"].get("custom")
        if custom is not None:
            yield f"export const custom{number}: Json<{kind}.FieldConfig> = {json.dumps(custom)};"


def test_every_panel_has_the_types_of_grafanas_schema(packages: Path) -> None:
    (packages / "panels.ts").write_text("\n".join(typescript()), encoding="utf-8")
    tsc = packages / "node_modules" / ".bin" / "tsc"
    done = subprocess.run(
        [tsc, *TSC, *RESOLUTION, "panels.ts"], cwd=packages, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[:3_000]


Shown: TypeAlias = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By title and by what the query answers: the text and the colour that Grafana shows."""


@pytest.fixture(scope="session")
def shown(packages: Path) -> Mapping[str, Shown]:
    """`tiles`, and what lines and bars are `drawn` with."""
    script = Path(__file__).with_name("panels.mjs")
    done = subprocess.run(
        ["node", script, DASHBOARD], cwd=packages, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert {*found["tiles"], *found["drawn"]} == {panel["title"] for panel in panels()}
    return found


@pytest.fixture(scope="session")
def tiles(shown: Mapping[str, Shown]) -> Shown:
    return shown["tiles"]


def test_tiles_without_a_value_are_grey_and_say_none(tiles: Shown) -> None:
    for title, tile in tiles.items():
        for answer in ("nothing", "nan"):
            assert tile[answer] == {"text": "none", "color": GREY}, title


def test_counts_have_every_digit_and_no_decimals(shown: Mapping[str, Shown]) -> None:
    every = {**shown["tiles"], **shown["drawn"]}
    counts = [panel["title"] for panel in panels() if panel["fieldConfig"]["defaults"].get("unit") == COUNT]
    assert {"Orders held", "Orders that wait", "Open files"} <= set(counts)
    for title in counts:
        assert (every[title]["fraction"]["text"], every[title]["thousands"]["text"]) == ("3", "38,112"), title


def test_each_state_on_the_timeline_has_its_word_and_colour(shown: Mapping[str, Shown]) -> None:
    bars = shown["drawn"]["State"]
    assert (bars["one"]["text"], bars["nine"]["text"]) == ("starting", "stopping")
    assert bars["one"]["color"] != bars["nine"]["color"]


def test_what_a_healthy_new_install_shows_is_not_red(tiles: Shown) -> None:
    """Everything that counts trouble is 0, and 1 connector gets on."""
    green = tiles["Connectors"]["one"]["color"]
    assert tiles["Verdict"]["one"]["color"] == green
    for title in ("Sync lag", "Alerts firing", "Orders held", "Dead letters", "Stores paused", "Mapping refused"):
        assert tiles[title]["zero"]["color"] == green, title
    assert tiles["Stores paused"]["one"]["color"] != green
