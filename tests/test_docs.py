"""Docs that name what exists, and only that. (Commands and settings: test_cli_docs.)"""

from __future__ import annotations

import re
from pathlib import Path

from connector.status import names

DOCS = Path(__file__).parent.parent / "docs"


def test_every_metric_is_documented_and_no_other() -> None:
    text = (DOCS / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(redo_connector_\w+)", text, re.MULTILINE))
    known = set(names.HELP)
    assert {name.removesuffix("_total") for name in documented} == {name.removesuffix("_total") for name in known}


def test_links_between_the_docs_lead_somewhere() -> None:
    for page in [DOCS.parent / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tests_that_the_docs_name_exist() -> None:
    for page in [DOCS.parent / "README.md", *DOCS.glob("*.md")]:
        for named in re.findall(r"`(tests/\w+\.py)`", page.read_text()):
            assert (DOCS.parent / named).exists(), f"{page.name} names {named}"
