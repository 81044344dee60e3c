"""The documentation names every command, option and setting that there is, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from connector.cli.main import main
from connector.settings import config, sources
from tests.support.fixtures.cli import ROOT

COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


def section(name: str) -> str:
    found = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL)
    assert found, f"docs/commands.md has no section {name}"
    return found[1]


@pytest.mark.parametrize(("path", "command"), [pytest.param(*leaf, id=" ".join(leaf[0])) for leaf in leaves(main)])
def test_every_command_is_documented_with_each_option_and_its_default(
    path: tuple[str, ...], command: click.Command
) -> None:
    text = section(path[0])
    assert all(f"`{' '.join(path)}" in text for _ in path[1:])
    for option in (each for each in command.params if isinstance(each, click.Option)):
        name = max(option.opts, key=len)
        assert f"`{name}`" in text, f"{' '.join(path)}: {name}"
        if option.show_default:
            shown = f"{option.default:g}" if isinstance(option.default, float) else str(option.default)
            assert shown in text, f"{' '.join(path)}: {name} = {shown}"
    if any("--json" in option.opts for option in command.params):
        assert "With `--json`" in text


def test_no_command_and_no_option_is_documented_that_there_is_not() -> None:
    assert set(re.findall(r"^## (\S+)$", COMMANDS, re.MULTILINE)) == {path[0] for path, _ in leaves(main)}
    known = {name for _, command in leaves(main) for option in command.params for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", COMMANDS)) <= known | {"--help", "--version"}


def shown_help() -> str:
    return CliRunner().invoke(main, ["--help"], terminal_width=80).output


def test_the_list_of_commands_fits_a_terminal_of_80_columns() -> None:
    lines = shown_help().partition("Options:")[2].splitlines()
    assert [line for line in lines if line.endswith("...") or len(line) > 80] == []


def test_help_lists_every_command_once_in_the_order_of_the_work() -> None:
    shown = shown_help().partition("Set up:")[2]
    assert re.findall(r"^(\w[\w ]*):$", shown, re.MULTILINE) == ["Run", "Look", "Steer"]
    assert re.findall(r"^  ([a-z-]+)", shown, re.MULTILINE) == list(main.commands)
    assert list(main.commands)[:3] == ["init", "grants", "check"]


def test_every_command_but_those_without_settings_takes_config() -> None:
    without = {path[0] for path, command in leaves(main) if "config_path" not in {it.name for it in command.params}}
    assert without == {"init", "settings-schema", "sandbox", "demo"}


def fields() -> Iterator[tuple[str, FieldInfo]]:
    for name, info in config.Settings.model_fields.items():
        assert isinstance(info.annotation, type)
        assert issubclass(info.annotation, BaseModel)
        for key, inner in info.annotation.model_fields.items():
            yield f"{name}.{key}", inner


def spelled(value: Any) -> set[str]:
    """How the documentation may write a default."""
    match value:
        case None:
            return {"none", "`source.dsn`"}
        case dict() if not value:
            return {"none"}
        case SecretStr():
            return {f"`{value.get_secret_value()}`"}
        case bool():
            return {f"`{str(value).lower()}`"}
        case tuple():
            return {f"`{list(value)}`".replace("'", '"')}
        case float():
            return {f"`{value:g}s`", f"`{value / 3600:g}h`", f"`{value:g}`"}
    return {f"`{value}`"}


@pytest.mark.parametrize(("key", "info"), [pytest.param(*field, id=field[0]) for field in fields()])
def test_every_setting_is_documented_with_its_default(key: str, info: FieldInfo) -> None:
    row = re.search(rf"^\| `{re.escape(key)}` \| (.+?) \|", SETTINGS, re.MULTILINE)
    assert row, key
    assert row[1] in ({"required"} if info.is_required() else spelled(info.default))


@pytest.mark.parametrize("path", ["README.md", *sorted(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))])
def test_no_setting_is_documented_that_there_is_not(path: str) -> None:
    text = Path(ROOT / path).read_text(encoding="utf-8")
    known = set(config.known_keys())
    sections = "|".join(config.Settings.model_fields)
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)\b", text))
    files = {name for name in named if name.endswith((".sql", ".py", ".toml", ".md"))}
    assert {name.removesuffix(sources.FILE_SUFFIX.lower()) for name in named - files} <= known
    variables = set(re.findall(r"CONNECTOR_[A-Z]+__[A-Z_]*[A-Z]", text))
    assert {name.removesuffix(sources.FILE_SUFFIX) for name in variables} <= {sources.env_name(key) for key in known}
