"""docs/architecture.md draws the rooms as they are: their folders, their floors, what each must not know."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ROOT / "connector"
PAGE: Final = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS: Final = {folder.name for folder in CODE.iterdir() if (folder / "__init__.py").exists()}


def test_nothing_but_rooms_stands_at_the_root() -> None:
    assert {file.name for file in CODE.glob("*.py")} == {"__init__.py", "__main__.py"}
    assert len(ROOMS) <= 20


def test_the_table_has_every_room_on_the_floor_that_the_import_rules_give_it() -> None:
    rules = ConfigParser()
    rules.read(ROOT / ".importlinter")
    floors = [line.split("|") for line in rules["importlinter:contract:floors"]["layers"].strip().splitlines()]
    ruled = {room.strip(): len(floors) - above for above, names in enumerate(floors) for room in names}
    told = {room: int(floor) for floor, room in re.findall(r"^\| (\d) \| `(\w+)/` \|", PAGE, re.MULTILINE)}
    assert told == ruled
    assert set(told) == ROOMS


def test_the_drawing_has_every_room() -> None:
    [drawing] = re.findall(r"## Rooms.*?```text\n(.*?)```", PAGE, re.DOTALL)
    assert set(re.findall(r"\w+", drawing)) >= ROOMS


def test_every_folder_says_what_it_is_for_and_every_room_what_it_must_not_know() -> None:
    for package in CODE.rglob("__init__.py"):
        said = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
        assert said, f"{package.parent} says nothing of itself"
        if package.parent.name in ROOMS and package.parent.parent == CODE:
            assert re.search(r"must not know", said, re.IGNORECASE), (
                f"{package.parent} doesn't say what it must not know"
            )
