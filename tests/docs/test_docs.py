"""Docs that name what exists, and only that. (Commands' and settings' own pages: test_cli_docs.)"""

from __future__ import annotations

import ast
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from connector.cli.main import main
from connector.contract.rules.rule_book import RULES
from connector.status import metric_names as names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*/*.md")]
CODE = ROOT / "connector"
LEVELS = ("debug", "info", "warning", "error", "critical")


def logged(code: str) -> Iterator[tuple[str, str, set[str]]]:
    """Event, level and named fields of every `log.<level>("event", ...)`, also by `partial(log.<level>, ...)`. Events
    without a constant name have none that could be documented: those are told as empty."""
    for call in ast.walk(ast.parse(code)):
        if not isinstance(call, ast.Call):
            continue
        function, arguments = call.func, call.args
        if isinstance(function, ast.Name) and function.id == "partial" and arguments:
            function, arguments = arguments[0], arguments[1:]
        match function:
            case ast.Attribute(value=ast.Name(id="log"), attr=level) if level in (*LEVELS, "exception", "log"):
                pass
            case _:
                continue
        name = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
        yield str(name), level, {keyword.arg for keyword in call.keywords if keyword.arg}


def events() -> Mapping[str, tuple[set[str], set[str]]]:
    """Levels and fields by event."""
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    texts = [file.read_text(encoding="utf-8") for file in CODE.rglob("*.py")]
    for text in (text for text in texts if "log." in text):  # to parse all takes seconds
        for event, level, named in logged(text):
            found[event][0].add(level)
            found[event][1].update(named)
    return found


def test_every_event_is_documented_with_its_levels_and_fields_and_no_other() -> None:
    text = (DOCS / "events.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| ([^|]*) ?\| [^|]+ \|[^|]*\|$", text.split("| event |")[1], re.MULTILINE
    )
    documented = {
        event: (set(re.findall(r"`(\w+)`", levels)), set(re.findall(r"`(\w+)`", named)))
        for event, levels, named in rows
    }
    assert len(documented) == len(rows)
    assert documented == events()


def test_events_are_found_however_they_are_logged() -> None:
    code = 'log.info("a", b=1)\npartial(log.error, "c", d=1, **e)\nlog.warning(name)\nother.info("f")'
    assert sorted(logged(code)) == [("", "warning", set()), ("a", "info", {"b"}), ("c", "error", {"d"})]


def test_every_metric_is_documented_and_no_other() -> None:
    text = (DOCS / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(redo_connector_\w+)", text, re.MULTILINE))
    known = set(names.HELP)
    assert {name.removesuffix("_total") for name in documented} == {name.removesuffix("_total") for name in known}


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def test_links_between_the_docs_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name} links to {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
                assert anchor in map(slug, headings), f"{page.name} links to {target}#{anchor}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = set[Path](), {ROOT / "README.md"}
    while new:
        reached |= new
        linked = {
            (page.parent / target).resolve()
            for page in new
            for target in re.findall(r"\]\((?!https?://)([^)#]+\.md)", page.read_text())
        }
        new = linked - reached
    assert {page.resolve() for page in PAGES if "examples" not in page.parts} <= {page.resolve() for page in reached}


def calls() -> Iterator[tuple[str, list[str]]]:
    """Every call of the command that a page tells a reader to make: the page, and the words after the command."""
    for page in PAGES:
        text = page.read_text()
        code = "".join(re.findall(r"^ *```.*?\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL))
        found = re.findall(r"`redo-connector ([^`]+)`", text)
        found += re.findall(r"^ *(?:\$ )?redo-connector (.+)$", code, re.MULTILINE)
        for words in found:
            yield page.name, shlex.split(words.replace("\n", " "), comments=True)


def test_calls_of_the_command_that_the_docs_name_are_possible() -> None:
    named = list(calls())
    assert len(named) > 50
    for page, words in named:
        command: click.Command = main
        options = {"--help", "--version", "-h"}
        for word in words:
            if isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"):
                assert word in command.commands, f"{page} names `redo-connector {' '.join(words)}`"
                command = command.commands[word]
                options |= {name for option in command.params for name in option.opts}
        for word in words:
            option = word.partition("=")[0]
            assert not option.startswith("-") or option in options, f"{page}: `redo-connector {' '.join(words)}`"


def test_the_glossary_can_be_looked_up_by_letter() -> None:
    words = re.findall(r"^\*\*([^*]+)\*\*", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(words) > 40
    assert words == sorted(words, key=str.casefold)


def named_paths(text: str) -> set[str]:
    """The paths in this repository that a page names: from its root, or below `connector/` (`redo/client.py`)."""
    rooms = "|".join(sorted(folder.name for folder in CODE.iterdir() if folder.is_dir()))
    from_root = re.findall(r"(?<![\w./-])(?:connector|tests|deploy|benchmarks)/[\w./-]*\w", text)
    from_rooms = re.findall(rf"`((?:{rooms})/[\w/]+\.(?:py|sql))`", text)
    return {*from_root, *(f"connector/{path}" for path in from_rooms)}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_file_and_folder_that_a_page_names_exists(page: Path) -> None:
    """The changelog alone names what there was."""
    assert [path for path in named_paths(page.read_text("utf-8")) if not (ROOT / path).exists()] == []


def test_paths_are_found_in_text() -> None:
    text = "See `tests/redo/test_client.py`, connector/redo/answers.py. `redo/client.py`, not /etc/connector/x.toml."
    assert named_paths(text) == {"tests/redo/test_client.py", "connector/redo/answers.py", "connector/redo/client.py"}


def test_the_table_of_rules_is_what_the_rules_are() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        [
            f"`{rule.name}`",
            rule.broken_by,
            rule.pushed or ("as it is" if "warn" in rule.modes else "-"),
            f"`{rule.default}`",
            ", ".join(f"`{mode}`" for mode in rule.modes if mode != rule.default) or "nothing else",
            rule.reason,
        ]
        for rule in RULES.values()
    ]
