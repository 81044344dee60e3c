"""`sandbox`: how it is told which token to accept."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from tests.support.fixtures.cli import TOKEN, Cli


@pytest.mark.parametrize("by_environment", [False, True])
def test_the_sandbox_takes_its_token_from_a_file(
    offline: Cli, by_environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = offline.folder / "redo.token"
    file.write_text(f"{TOKEN}\n")
    options = [] if by_environment else ["--api-secret-file", str(file)]
    if by_environment:
        monkeypatch.setenv("SANDBOX_API_SECRET_FILE", str(file))
    daemon = offline.start("sandbox", "--port", "0", *options)
    address = daemon.until_said(r"redo.base_url = (\S+)")
    url = f"{address}/stores/sandbox/orders/1"
    answers = [httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code for token in ("sandbox", TOKEN)]
    assert answers == [401, 404]
    assert daemon.stop() == 0


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"a\x00b", b"two\nlines", b"x" * 20_000])
def test_a_token_file_of_the_sandbox_without_a_token_is_named(offline: Cli, content: bytes) -> None:
    file = offline.folder / "redo.token"
    file.write_bytes(content)
    ran = offline("sandbox", "--port", "0", "--api-secret-file", str(file))
    assert ran.code == 2
    assert f"{file}: holds no token" in ran.err
