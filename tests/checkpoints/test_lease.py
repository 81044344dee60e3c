"""The right to push, by a clock that the test sets."""

from __future__ import annotations

import asyncio

import pytest

from connector.checkpoints.lease import Lease


class Boot:
    """A clock that only goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def boot() -> Boot:
    return Boot()


def renewed(lease: Lease) -> None:
    lease.renew(lease.asked())


def test_it_is_held_for_so_long_after_the_question_that_was_answered_and_not_after_the_answer(boot: Boot) -> None:
    lease = Lease(1.5, boot)
    lease.begin(0.0)
    assert not lease.held
    asked = lease.asked()
    boot.now += 1.0
    lease.renew(asked)
    boot.now += 0.4
    assert lease.held
    boot.now += 0.1
    assert not lease.held


def test_after_a_suspension_it_is_over_until_the_server_has_answered_again(boot: Boot) -> None:
    lease = Lease(1.5, boot)
    lease.begin(0.0)
    renewed(lease)
    assert lease.held
    boot.now += 60.0
    assert not lease.held
    renewed(lease)
    assert lease.held


def test_it_is_known_for_how_long_the_server_has_not_answered(boot: Boot) -> None:
    lease = Lease(1.5, boot)
    renewed(lease)
    assert lease.unanswered == 0.0
    boot.now += 60.0
    assert lease.unanswered == 60.0
    assert Lease(clock=boot).unanswered == 0.0


def test_an_answer_that_comes_late_does_not_shorten_it(boot: Boot) -> None:
    lease = Lease(1.5, boot)
    lease.begin(0.0)
    early = lease.asked()
    boot.now += 1.0
    renewed(lease)
    lease.renew(early)
    boot.now += 1.0
    assert lease.held


def test_a_new_leader_waits_out_what_the_former_one_may_still_push(boot: Boot) -> None:
    lease = Lease(1.5, boot)
    renewed(lease)
    assert not lease.held  # it hasn't begun
    lease.begin(1.5)
    boot.now += 1.4
    renewed(lease)
    assert not lease.held
    boot.now += 0.1
    assert lease.held


def test_where_the_system_keeps_the_lock_it_holds_until_it_is_over(boot: Boot) -> None:
    lease = Lease(clock=boot)
    assert not lease.held
    lease.begin(0.0)
    boot.now += 1e9
    assert lease.held
    lease.end()
    assert not lease.held


async def test_who_waits_for_it_goes_on_once_it_is_held_and_is_told_when_it_never_will_be(boot: Boot) -> None:
    lease = Lease(1.5, boot)
    lease.begin(0.0)
    waiting = asyncio.ensure_future(lease.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    renewed(lease)
    assert await waiting is True
    boot.now += 60.0
    waiting = asyncio.ensure_future(lease.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    lease.end()
    assert await waiting is False
    renewed(lease)
    assert await lease.wait() is False
