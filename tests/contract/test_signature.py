"""The contract's signature: while it stays the same, equal documents make equal orders."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector.contract import signature
from connector.contract.order_builder import RedoContract

PLAIN = RedoContract("UTC", ("updatedAt",), "main", frozenset({"outlet"})).signature


@pytest.mark.parametrize(
    "other",
    [
        RedoContract("Europe/Berlin", ("updatedAt",), "main", frozenset({"outlet"})),
        RedoContract("UTC", (), "main", frozenset({"outlet"})),
        RedoContract("UTC", ("updatedAt", "tags"), "main", frozenset({"outlet"})),
        RedoContract("UTC", ("updatedAt",), "outlet", frozenset({"outlet"})),
        RedoContract("UTC", ("updatedAt",), "main", frozenset({"outlet", "third"})),
        RedoContract("UTC", ("updatedAt",), "main"),
    ],
    ids=["time zone", "nothing ignored", "more ignored", "default store", "one store more", "one store less"],
)
def test_each_setting_changes_it(other: RedoContract) -> None:
    assert other.signature != PLAIN


def test_it_is_the_same_in_another_process() -> None:
    code = (
        "from connector.contract.order_builder import RedoContract as R;"
        "print(R('UTC', ('updatedAt',), 'main', frozenset({'outlet'})).signature.hex())"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == PLAIN.hex()


def test_it_changes_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "_ROOMS", (*signature._ROOMS, "connector.logs"))
    assert signature._code.__wrapped__() != signature._code()


@pytest.mark.parametrize("library", signature.LIBRARIES)
def test_it_changes_with_what_the_code_uses(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "version", lambda name: "0" if name == library else "1")
    one = signature._code.__wrapped__()
    monkeypatch.setattr(signature, "version", lambda name: "1")
    assert signature._code.__wrapped__() != one


def test_it_changes_with_the_rules_of_the_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "TZPATH", (str(tmp_path),))
    packaged = signature.signature("Mars/Base", ())
    (tmp_path / "Mars").mkdir()
    (tmp_path / "Mars" / "Base").write_bytes(b"rules")
    before = signature.signature("Mars/Base", ())
    (tmp_path / "Mars" / "Base").write_bytes(b"other rules")
    assert len({packaged, before, signature.signature("Mars/Base", ())}) == 3


def test_every_library_of_the_contract_counts() -> None:
    room, used = Path(signature.__file__).parent, set[str]()
    for file in room.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used |= {name.partition(".")[0] for name in names}
    libraries = used - sys.stdlib_module_names - {"connector"}
    assert {name.replace("_", "-") for name in libraries} == set(signature.LIBRARIES)
