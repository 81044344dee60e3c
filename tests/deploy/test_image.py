"""How `make image-check` reads a Dockerfile; that it builds and runs is its own to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.image.dockerfile import StepFailed, build, instructions
from tests.support.fixtures.cli import ROOT


def test_instructions_are_joined_over_lines_and_comments_left_out() -> None:
    text = '# syntax\nFROM a AS b\n\nRUN one \\\n # between\n && two\nCMD ["run"]\n'
    assert list(instructions(text)) == [("FROM", "a AS b"), ("RUN", "one   && two"), ("CMD", '["run"]')]


def test_stages_copy_from_each_other_and_keep_what_a_container_starts_with(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "etc").mkdir(parents=True)
    text = """
ARG BASE=x
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md ./
FROM ${BASE}
COPY --from=build /src /opt/there
ENV PATH=/opt/bin:$PATH \\
    A=b
USER 10001:10001
HEALTHCHECK --interval=1s CMD ["true"]
ENTRYPOINT ["redo-connector"]
"""
    image = build(text, ROOT, base, tmp_path)
    assert sorted(path.name for path in (image.root / "opt" / "there").iterdir()) == ["README.md", "pyproject.toml"]
    assert (image.env["PATH"].split(":")[0], image.env["A"], image.user) == ("/opt/bin", "b", "10001:10001")
    assert image.words == {"HEALTHCHECK": ["true"], "ENTRYPOINT": ["redo-connector"]}


def test_an_instruction_that_is_not_known_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    with pytest.raises(StepFailed, match="ONBUILD is not known"):
        build("FROM x\nONBUILD RUN y", ROOT, tmp_path / "base", tmp_path)
