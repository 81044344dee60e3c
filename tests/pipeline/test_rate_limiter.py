"""The pace after a 429, from what was accepted before it."""

from __future__ import annotations

from connector.pipeline.deliver.rate_limiter import AdaptiveRate


def test_a_429_while_orders_came_singly_leaves_the_pace_near_what_was_accepted() -> None:
    """Nothing waited for a place, so nobody knows what Redo would have borne."""
    throttle, now = AdaptiveRate(), 0.0
    for _ in range(40):
        now += 0.05
        throttle.accepted(now, pressed=False)
    throttle.throttled(now)
    throttle.reopened(now + 1.0)
    assert throttle.rate is not None
    assert throttle.rate > 10
