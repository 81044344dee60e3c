"""Fixtures are in the plugins that pyproject.toml names: tests/support/fixtures."""

import os
import signal
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

import tests.support.certificates  # noqa: F401 -- for its effect
from connector.model.off_loop import keep_out_of_collections

# What a shell runs in the background ignores SIGINT, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Orders are large, and other tests run at the same time: how long hypothesis takes says nothing about the code.
# `make test-long` tries more examples.
settings.register_profile("tests", max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.register_profile("long", settings.get_profile("tests"), max_examples=400)
settings.load_profile("tests")

_SHORT: Final = ("contract", "projection")
"""Rooms with many tests of which none takes long."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test process has short tests at the end of its share: while one finishes what it is at, the others take over
    its short ones, and all end at the same time. Every other one begins with the long tests, so that what waits and
    what computes goes on side by side."""
    kinds: dict[str, list[pytest.Item]] = {"long": [], "short": [], "other": []}
    for item in items:
        room = item.path.relative_to(item.config.rootpath).parts[1]
        kinds["long" if room == "system" else "short" if room in _SHORT else "other"].append(item)
    items.clear()
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for number in range(processes):
        for kind in ("other", "long", "short") if number % 2 else ("long", "other", "short"):
            some = kinds[kind]
            items += some[number * len(some) // processes : (number + 1) * len(some) // processes]


def pytest_collection_finish() -> None:
    """Python's garbage collector need not look at thousands of tests again and again."""
    keep_out_of_collections()
