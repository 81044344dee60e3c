"""Docs that name what exists, and only that. (Commands' and settings' own pages: test_cli_docs.)"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from connector.cli import main
from connector.status import names

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*/*.md")]


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


def test_tests_that_the_docs_name_exist() -> None:
    for page in PAGES:
        for named in re.findall(r"`(tests/\w+\.py)`", page.read_text()):
            assert (ROOT / named).exists(), f"{page.name} names {named}"


def test_the_glossary_can_be_looked_up_by_letter() -> None:
    words = re.findall(r"^\*\*([^*]+)\*\*", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(words) > 40
    assert words == sorted(words, key=str.casefold)
