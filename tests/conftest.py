"""Fixtures are in the plugins that pyproject.toml names: tests/support/fixtures."""

import signal

from hypothesis import HealthCheck, settings

import tests.support.certificates  # noqa: F401 -- for its effect

# What a shell runs in the background ignores SIGINT, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Orders are large, and other tests run at the same time: how long hypothesis takes says nothing about the code.
# `make test-long` tries more examples.
settings.register_profile("tests", max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.register_profile("long", settings.get_profile("tests"), max_examples=400)
settings.load_profile("tests")
