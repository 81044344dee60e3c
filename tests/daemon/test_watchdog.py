"""The watchdog ends a process of which a part is stuck, says which, and the next start goes on without a loss."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time

import pytest
from structlog.testing import capture_logs

from connector.daemon.health.watchdog import EXIT_STALLED, Watchdog
from connector.pipeline.heartbeat import Heartbeat
from tests.support.fixtures.connector import Rig, eventually


@pytest.mark.parametrize("part", ["event loop", "checkpoint store"])
async def test_a_stuck_part_ends_the_process_with_its_name_and_the_next_start_loses_nothing(
    rig: Rig, part: str
) -> None:
    rig.overrides = {"health": {"stalled_after": 1.0, "exit_after": 2.0}, "log": {"format": "json"}}
    config = rig.write_config()
    log = rig.folder / "stalled.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.processes.stuck_child",
            part,
            "run",
            "--config",
            str(config),
            stdout=output,
            stderr=output,
        )
    try:
        await eventually("Redo has every order", lambda: len(rig.stored()) == 40 or process.returncode is not None)
        rig.execute("UPDATE oms.order_header SET tag_list = 'hush-a-row-value' WHERE ord_id = 3")
        await asyncio.wait_for(process.wait(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = log.read_text()
    assert process.returncode == EXIT_STALLED, text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    last = next(line for line in lines if line["event"] == "stalled_exit")
    assert last["part"] == part
    assert part in last["problem"]
    assert last["exit_code"] == EXIT_STALLED
    assert "stuck_child.py" in text.partition("stalled_exit")[2], "the stacks show where it is stuck"
    assert "hush-a-row-value" not in text
    await rig.start()
    await rig.quiet()
    assert rig.stored()["3"]["tags"] == ["hush-a-row-value"]
    assert (await rig.verdict()).clean


# Of the last resort's second timer, which takes as many seconds as the number of the signal that begins it.
SHORTER = """
import asyncio, ctypes, fcntl, re, signal
from connector.daemon.health import last_resort
from connector.daemon.health.watchdog import Watchdog

SECONDS = signal.SIGINT
last_resort.STARTS_SECOND = SECONDS

def started():
    watchdog = Watchdog(0.2, 0.5, margin=0.5)
    watchdog.start()
    fcntl.fcntl(watchdog._last_resort._heard, fcntl.F_SETSIG, SECONDS)
    return watchdog
"""
HOLDING_THE_INTERPRETER = f"""{SHORTER}
async def main():
    watchdog = started()
    await asyncio.sleep(0.3)
    re.match("(a+)+$", 64 * "a" + "b")

asyncio.run(main())
"""
STOPPED = f"""{SHORTER}
async def main():
    watchdog = started()
    while True:
        print("turns", flush=True)
        await asyncio.sleep(0.1)

asyncio.run(main())
"""

NOBODY_READS = """
import asyncio, os, sys
from connector.daemon.health.watchdog import Watchdog

async def main():
    watchdog = Watchdog(0.2, 0.5, log_bound=0.3)
    watchdog.start()
    os.set_blocking(2, False)
    try:
        while True:
            os.write(2, bytes(4096))
    except BlockingIOError:
        os.set_blocking(2, True)
    print("one word too many", file=sys.stderr, flush=True)

asyncio.run(main())
"""


def run(script: str, output: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script], stdout=output, stderr=subprocess.PIPE)


def test_even_code_that_holds_the_interpreter_is_ended() -> None:
    child = run(HOLDING_THE_INTERPRETER)
    _, said = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGALRM
    assert b'File "<string>", line 18 in main' in said


def test_a_process_that_was_stopped_for_longer_than_any_timer_goes_on() -> None:
    child = run(STOPPED, subprocess.PIPE)
    assert child.stdout is not None
    try:
        for _ in range(2):
            for _ in range(40):  # four seconds of its own: longer than both timers take
                assert child.stdout.readline() == b"turns\n"
            child.send_signal(signal.SIGSTOP)
            time.sleep(6.0)  # the promise is about a time
            child.send_signal(signal.SIGCONT)
        for _ in range(40):
            assert child.stdout.readline() == b"turns\n"
        assert child.poll() is None
    finally:
        child.kill()
        _, said = child.communicate()
    assert said == b""


def test_even_a_process_whose_words_nobody_reads_is_ended() -> None:
    child = run(NOBODY_READS)
    try:
        assert child.wait(timeout=60) == EXIT_STALLED
    finally:
        child.kill()
        assert child.stderr is not None
        child.stderr.close()


async def test_a_loop_that_runs_and_parts_that_beat_are_left_alone() -> None:
    ended: list[int] = []
    watchdog, heartbeat = Watchdog(0.3, 0.6, end=ended.append), Heartbeat("settler", "writing")
    watchdog.watch(lambda: [heartbeat])
    watchdog.start()
    for _ in range(100):
        heartbeat.beat()
        await asyncio.sleep(0.02)
    assert watchdog.stalled == ()
    assert ended == []
    watchdog.stop()


async def test_a_stall_is_told_once_and_when_it_is_over() -> None:
    ended: list[int] = []
    watchdog, heartbeat = Watchdog(0.2, None, end=ended.append), Heartbeat("settler", "writing")
    watchdog.watch(lambda: [heartbeat])
    heartbeat.beat()
    with capture_logs() as told:
        watchdog.start()
        await eventually("it is seen", lambda: [stall.name for stall in watchdog.stalled] == ["settler"])
        heartbeat.rest()
        await eventually("it is over", lambda: watchdog.stalled == ())
        await eventually("both are told", lambda: len(told) >= 2)
        watchdog.stop()
    assert [(line["event"], line["part"]) for line in told] == [("stalled", "settler"), ("stall_over", "settler")]
    assert "restart the connector" in told[0]["next"], "health.exit_after is off"
    assert ended == []


async def test_a_part_of_an_earlier_generation_is_not_watched_any_more() -> None:
    ended: list[int] = []
    watchdog, old, new = (
        Watchdog(0.1, 0.2, end=ended.append),
        Heartbeat("settler", "writing"),
        Heartbeat("guard", "judging"),
    )
    old.beat()
    watchdog.watch(lambda: [old])
    watchdog.watch(lambda: [new])
    watchdog.start()
    await asyncio.sleep(0.6)  # the promise is about a time
    assert ended == []
    new.beat()
    await eventually("the present one is", lambda: ended == [EXIT_STALLED])
    watchdog.stop()
