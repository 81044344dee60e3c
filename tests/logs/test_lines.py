"""Log lines of a process: JSON where JSON was asked for, and never a value that an error quotes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.fixtures.cli import ROOT

PROGRAM = """
import asyncio, gc, logging, sys, warnings
import structlog
from connector.cli import exit_codes
from connector.logs import setup

setup.configure(sys.argv[1], "info")

def stumble():
    api_secret = "hush-hush-4711"
    raise LookupError("a row that was looked for")

try:
    stumble()
except LookupError:
    structlog.get_logger("ours").exception("ours")
    logging.getLogger("theirs").error("theirs", exc_info=True)
structlog.get_logger("ours").info("quiet", order="17", reason=None, next=None, held=0)
logging.getLogger("theirs").info("chatter")
logging.getLogger("loud").setLevel(logging.DEBUG)
logging.getLogger("loud").debug("chatter")
warnings.warn("an old habit")
logging.getLogger("psycopg").warning("error ignored terminating %r: %s", object(), "DETAIL: buyer@shop.example")

async def fail():
    raise ValueError("another@shop.example")

async def crash():
    asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    gc.collect()
    raise ValueError("buyer@shop.example")

sys.exit(exit_codes.logged(crash(), as_json=True))
"""


def logged(form: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM, form], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_field_that_has_nothing_to_say_is_not_written(form: str) -> None:
    (line,) = [line for line in logged(form).splitlines() if "quiet" in line]
    assert "17" in line
    assert "held" in line
    assert "reason" not in line
    assert "next" not in line


def test_json_logs_hold_one_object_a_line_whoever_speaks() -> None:
    events = [json.loads(line) for line in logged("json").splitlines()]
    assert [event["event"].split()[0].rpartition("/")[2].split(":")[0] for event in events] == [
        "ours",
        "theirs",
        "quiet",
        "<string>",
        "error",
        "Task",
        "crashed",
    ]
    assert all(event["level"] and event["timestamp"] for event in events)
    assert all(event["exception"].endswith("in stumble\nLookupError") for event in events[:2])
    assert events[-1]["exception"].endswith("ValueError")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_told_without_its_message_or_local_variables(form: str) -> None:
    said = logged(form)
    assert "LookupError" in said
    assert "crashed" in said
    assert "hush-hush-4711" not in said
    assert "a row that was looked for" not in said
    assert "Task exception was never retrieved" in said
    assert "@shop.example" not in said
    assert "error ignored terminating" in said
    assert "chatter" not in said


ODD = """
import sys
import structlog
from connector.logs import setup

setup.configure(sys.argv[1], "info")
log = structlog.get_logger("ours")
for text in ("\\ud800", "\\0", "\\x1b[2J\\u202e", "a\\nb", "x" * 1_000_000):
    log.info("odd", text=text, texts=[text], number=10**30)
print("done")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_keeps_a_line_from_being_written_or_gives_a_terminal_orders(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", ODD, form], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-500:]
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    if form == "json":
        assert [json.loads(line)["number"] for line in lines] == [10**30] * 5
    assert "\x1b" not in done.stderr
    assert form == "json" or "\u202e" not in done.stderr


CLUMSY = """
from connector.cli.exit_codes import Group

def stumble(**_):
    email = "buyer@shop.example"
    raise ValueError(f"no such buyer: {email}")

command = Group("connector", commands=[__import__("click").Command("look", callback=stumble)])
command.main(["look"])
"""


def test_a_command_that_fails_by_a_defect_says_where_and_quotes_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CLUMSY], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "in stumble" in done.stderr
    assert "ValueError\n" in done.stderr
    assert "@shop.example" not in done.stderr
    assert "defect of the connector" in done.stderr
