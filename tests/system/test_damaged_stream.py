"""A stream that is damaged on its way: what the whole connector does about it, and says."""

from __future__ import annotations

import re

import pytest
from structlog.testing import capture_logs

from connector.source.stream.copyboth import CopyBoth
from tests.support.fixtures.connector import Rig, eventually

MARKER = b"marked@shop.example"


class Damage:
    """Cuts the end off every message that holds the marker, as often as `times` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self.done = 0
        receive = CopyBoth.receive

        def damaged(copy: CopyBoth) -> memoryview | None:
            frame = receive(copy)
            if frame is None or MARKER not in bytes(frame) or self.done >= self.times:
                return frame
            self.done += 1
            return frame[:-1]

        monkeypatch.setattr(CopyBoth, "receive", damaged)


@pytest.fixture
def damage(monkeypatch: pytest.MonkeyPatch) -> Damage:
    return Damage(monkeypatch)


def change(rig: Rig) -> None:
    first = "SELECT min(cust_id) FROM oms.order_header"
    rig.execute(f"UPDATE oms.customer SET email_addr = 'marked@shop.example' WHERE cust_id = ({first})")


async def test_a_damaged_message_is_told_with_its_place_and_read_again(rig: Rig, damage: Damage) -> None:
    await rig.start()
    await rig.quiet()
    damage.times = 1
    with capture_logs() as logs:
        change(rig)
        await rig.quiet()
    assert damage.done == 1
    [said] = [log["problem"] for log in logs if log["event"] == "stream_lost"]
    assert re.match(r"replication stream at \w+/\w+: message 'U' is malformed at byte \d+: it ends early", said)
    assert "marked" not in str(logs)
    assert (await rig.verdict()).clean


async def test_a_message_that_stays_unreadable_is_told_again_and_again_with_what_to_do(
    rig: Rig, damage: Damage
) -> None:
    await rig.start()
    await rig.quiet()
    damage.times = 1_000
    with capture_logs() as logs:
        change(rig)
        await eventually("it says what to do", lambda: "redo-connector teardown" in str(logs))
        rig.check()
        position = rig.running.pipeline.ports.source.position()
        assert position.flush_lsn < rig.wal_end(), "nothing that was not read is let go"
        damage.times = 0
        await rig.quiet()
    said = [log["problem"] for log in logs if log["event"] == "stream_lost"]
    assert len(said) == damage.done
    assert "so it was 3 times, and the slot keeps WAL meanwhile" in said[2]
    assert "teardown" not in said[1]
    assert "marked" not in str(logs)
    assert (await rig.verdict()).clean
