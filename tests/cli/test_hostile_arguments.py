"""Arguments that are no text, no key, no number: wrong usage, said in a line, and never a traceback."""

from __future__ import annotations

import pytest

from tests.support.fixtures.cli import Cli

HALF = b"\xff\xed\xa0\x80".decode("utf-8", "surrogateescape")
"""Bytes that are no UTF-8, as they come from the command line."""
LONG = "x" * 100_000


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain-order"],
        ["preview"],
        ["preview", "7"],
        ["dead-letters", "show"],
        ["dead-letters", "redrive"],
        ["dead-letters", "set-aside"],
        ["dead-letters", "list", "--group"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(("odd", "said"), [(HALF, "half a character"), (LONG, "longer than 2,600 bytes")])
def test_what_can_be_no_key_is_wrong_usage_in_every_command(
    offline: Cli, arguments: list[str], odd: str, said: str
) -> None:
    ran = offline(*arguments, odd)
    assert ran.code == 2
    assert said in ran.err
    assert LONG not in ran.err
    assert "defect" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["approve"],
        ["approve", "--canary"],
        ["preview", "--sample"],
        ["dead-letters", "list", "--limit"],
        ["reconcile", "--verify-redo"],
    ],
    ids=" ".join,
)
def test_a_number_that_no_store_can_hold_is_wrong_usage(offline: Cli, arguments: list[str]) -> None:
    for odd in ("9" * 30, "9" * 5000, "0", "NaN", "1e3", HALF, "[" * 3000):
        ran = offline(*arguments, odd)
        assert (ran.code, "defect" in ran.err) == (2, False), ran.err[-500:]


@pytest.mark.parametrize(
    "arguments",
    [
        ["preview", "--mapping"],
        ["check", "--config"],
        ["grants", "--role"],
        ["sandbox", "--host"],
        ["sandbox", "--port"],
    ],
    ids=" ".join,
)
def test_names_that_are_no_text_end_a_command_with_its_reason(offline: Cli, arguments: list[str]) -> None:
    for odd in (HALF, "\u202e\x1b[2J", LONG, "[" * 3000):
        ran = offline(*arguments, odd)
        assert (ran.code, "defect" in ran.err) == (2, False), ran.err[-500:]
