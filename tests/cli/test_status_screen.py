"""`status` on a terminal: a screenful of 24 lines of 80 characters in every state. Elsewhere the same as plain text."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from fcntl import ioctl
from typing import Any

import orjson
import pytest

from connector.cli.report import status
from connector.cli.report.console import console
from connector.cli.report.status_numbers import numbers_view
from connector.status.status_json import as_json
from tests.support.fixtures.cli import ROOT, Cli, started, until
from tests.support.verdicts import VERDICTS

WIDE, HIGH = 80, 24
STORE_ONLY = {
    "running": False,
    "ready": False,
    "verdict": "No connector answers at http://127.0.0.1:9464/api/status.",
    "next": "start it with `redo-connector run`: it goes on where it stopped",
    "sync_lag_seconds": 700.0,
    "affected": 3,
    "lookups": 0,
    "checkpoints": 40,
    "missing": 2,
    "dead_letters": {"invalid": 2},
    "warnings": {},
    "holds": [{"number": 3, "orders": 25, "state": "held", "cause": "mapping changed"}],
    "last_reconcile": None,
    "endpoints": [],
    "dead_letter_groups": [
        {"group": "5e19ab02", "orders": 2, "reason": "invalid", "cause": "customer.email: no address"}
    ],
}


def answered(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(orjson.dumps(as_json(VERDICTS[name])))
    return {"running": True, **body}


def screen(found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, columns: int | None = WIDE) -> list[str]:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(columns))
    shown = console()
    with shown.capture() as captured:
        shown.print(status.status_view(found))
    return captured.get().splitlines()


@pytest.mark.parametrize("name", VERDICTS)
def test_every_verdict_is_a_screenful_of_which_no_line_wraps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(answered(name), monkeypatch)
    assert len(lines) < HIGH
    assert max(map(len, lines)) <= WIDE
    assert lines[0] == answered(name)["headline"]
    assert not any("…" in line for line in lines[: 2 + 7]), "the numbers are told whole"


@pytest.mark.parametrize("name", VERDICTS)
def test_into_a_pipe_every_line_goes_out_whole_and_plain(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(screen(answered(name), monkeypatch, None))
    assert "…" not in text
    assert "\x1b" not in text
    for card in answered(name)["attention"]:
        assert not card["next"] or f"! {card['title']}\n" in text
        assert not card["next"] or card["next"] in text


def test_when_more_is_wrong_than_fits_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(answered("everything"), monkeypatch)
    told = [line for line in lines if line.startswith("! ")]
    [more] = [line for line in lines if "--all" in line]
    assert more == f"  and {9 - len(told)} more: `redo-connector status --all`"
    assert "  refused     30 orders; 3 failing again and again; 1 too slow to be read" in lines


def test_one_thing_that_is_wrong_is_told_with_its_reason_and_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(screen(answered("mapping-refused"), monkeypatch))
    assert "! The mapping was changed, and is refused\n  `mapping.sql:12:7`: there is no table oms.prodct." in text
    assert "\n  Next: correct the name: oms.product is the nearest\n  $ redo-connector check\n" in text


def test_events_are_told_with_when_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    assert screen(answered("disconnected"), monkeypatch)[-4:] == [
        "  since 03:18 UTC     Disconnected from the OMS database",
        "  01:12 UTC           Every order compared: nothing differed",
        "  23:58 to 00:01 UTC  Disconnected from the OMS database",
        "  16:18 UTC           Started",
    ]


def test_a_standby_names_its_leader_in_the_place_of_numbers_that_it_can_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert screen(answered("standby"), monkeypatch)[:6] == [
        "Standing by: another connector delivers",
        "",
        "  leader      oms-2.shop.internal since 01:38 UTC, seen just now",
        "  its page    http://127.0.0.1:9464/ on oms-2",
        "  takeover    ready",
        "",
    ]
    assert "unknown" not in "".join(screen(answered("standby"), monkeypatch))
    assert "  takeover    not ready" in screen(answered("standby-unfit"), monkeypatch)


def test_without_a_connector_it_is_what_the_store_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert screen(STORE_ONLY, monkeypatch) == [
        "No connector answers at http://127.0.0.1:9464/api/status.",
        "",
        "  lag         11 min, Redo may lack what was committed since then",
        "  waiting     3 changes",
        "  held        25 orders",
        "  refused     2 orders",
        "  accepted    38 orders",
        "",
        "Next: start it with `redo-connector run`: it goes on where it stopped",
        "",
        "held: 25 orders (mapping changed); `redo-connector approve 3` shows them and",
        "lets them go",
        "refused: 2 orders, invalid: customer.email: no address (group 5e19ab02)",
    ]


def test_the_screen_in_the_documentation_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "\n".join(["$ redo-connector status", *screen(answered("paused-by-hand"), monkeypatch)])
    assert f"```text\n{shown}\n```" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_all_has_every_number_by_its_name_and_all_that_needs_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = console()
    with shown.capture() as captured:
        shown.print(numbers_view(answered("everything")))
    text = captured.get()
    assert re.search(r"^sync_lag_seconds +48190\.0$", text, re.MULTILINE)
    assert text.count("\n! ") == len(answered("everything")["attention"])


class Terminal:
    """A command on a terminal of 80 by 24. Who leaves it types Ctrl-C."""

    def __init__(self, cli: Cli, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", HIGH, WIDE, 0, 0))
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "COLUMNS"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "connector", *arguments],
            cwd=cli.folder,
            env={**outside, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.written = ""

    def __enter__(self) -> Terminal:
        return self

    def until_shown(self, words: str) -> None:
        def look() -> bool:
            with suppress(OSError):  # it has ended, and all was read
                if select.select([self._master], [], [], 0.1)[0]:
                    self.written += os.read(self._master, 4096).decode(errors="replace")
            return words in self.written

        until(f"the terminal shows {words}", look)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        os.close(self._master)


def test_on_a_terminal_it_is_one_screenful_and_watched_it_is_drawn_anew(cli: Cli) -> None:
    daemon = started(cli)
    until("every order is at Redo", lambda: cli.facts()["ready"] and cli.facts()["checkpoints"] == 6)
    until("the backfill is over", lambda: cli.facts()["state"] == "streaming")
    with Terminal(cli, "status") as terminal:
        terminal.until_shown("Started")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.written).splitlines()
    assert len(lines) < HIGH
    assert max(map(len, lines)) <= WIDE
    assert lines[0] == "Delivering: Redo is in step with the OMS"
    with Terminal(cli, "status", "--watch") as terminal:
        terminal.until_shown("Delivering: Redo is in step with the OMS")
        assert cli("pause").code == 0
        terminal.until_shown("Paused by hand since ")
        terminal.until_shown("$ redo-connector resume")
        assert cli("resume").code == 0
    assert daemon.stop() == 0
