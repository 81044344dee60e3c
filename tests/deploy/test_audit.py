"""What the audit of the locks says, by the real pip-audit in front of a database of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from deploy import audit
from tests.support.fixtures.cli import free_port

TODAY: Final = date(2026, 11, 25)
FLAW: Final = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2026-0001"],
    "summary": "hands out the till",
    "affected": [
        {
            "package": {"name": "mug", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3"}]}],
        }
    ],
}


class Database(BaseHTTPRequestHandler):
    """Knows one flaw, of `mug`."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: dict[str, Any] = {"vulns": [FLAW]} if asked["package"]["name"] == "mug" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Database)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def allowlist(folder: Path, text: str = "") -> Path:
    path = folder / "allowlist.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run(folder: Path, url: str, *pins: str, allowed: str = "", more: tuple[str, ...] = ()) -> int:
    lock = folder / "some.lock"
    lock.write_text("".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in pins), encoding="utf-8")
    arguments = ["--osv-url", url, "--lock", str(lock), "--allowlist", str(allowlist(folder, allowed)), *more]
    return audit.main(arguments, TODAY)


def entry(until: str, name: str = "CVE-2026-0001", package: str = "mug") -> str:
    return f'[[allow]]\nid = "{name}"\npackage = "{package}"\nuntil = {until}\nreason = "never called"\n'


def test_a_known_vulnerability_is_an_error_with_its_fix(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, database, "mug==1.2", "cup==2.0") == 1
    said = capsys.readouterr().out
    assert "VULNERABLE: mug 1.2: CVE-2026-0001, GHSA-aaaa-bbbb-cccc (fixed in 1.3)" in said
    assert "audited: 2 packages, 1 vulnerabilities, 1 not allowed" in said


def test_an_allowed_one_passes_by_any_of_its_names(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, database, "mug==1.2", allowed=entry("2026-11-25")) == 0
    assert "1 vulnerabilities, 0 not allowed" in capsys.readouterr().out


def test_an_allowance_ends_and_is_for_one_package_and_one_vulnerability() -> None:
    found = [audit.Finding("mug", "1.2", ("GHSA-aaaa-bbbb-cccc", "CVE-2026-0001"), ("1.3",))]
    allowed = audit.Allowed("CVE-2026-0001", "mug", TODAY, "never called")
    assert audit.judge(found, [allowed], TODAY) == []
    assert audit.judge(found, [allowed], date(2026, 11, 26)) == found
    assert audit.judge(found, [audit.Allowed("CVE-2026-0002", "mug", TODAY, "")], TODAY) == found
    assert audit.judge(found, [audit.Allowed("CVE-2026-0001", "cup", TODAY, "")], TODAY) == found


def test_without_a_database_it_says_that_nothing_was_audited_and_passes_unless_it_is_required(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1/query"
    assert run(tmp_path, nowhere, "mug==1.2", "cup==2.0") == 0
    said = capsys.readouterr().out
    assert "NOT AUDITED: 2 of 2 packages" in said
    assert "audited:" not in said
    assert run(tmp_path, nowhere, "mug==1.2", more=("--require",)) == 1


def test_every_allowance_in_the_repository_has_a_reason() -> None:
    assert [each.id for each in audit.read_allowlist(audit.ALLOWLIST) if not each.reason] == []


def test_every_locked_package_has_a_hash_and_no_lock_names_an_address() -> None:
    for lock in audit.LOCK.parent.glob("*.lock"):
        pins = audit.pinned(lock)
        text = lock.read_text(encoding="utf-8")
        entries = [line for line in text.split("\n") if "--hash=sha256:" in line]
        assert len(entries) >= len(pins) > 10
        assert "://" not in text
