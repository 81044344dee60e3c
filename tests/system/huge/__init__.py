"""Huge transactions, in front of the real command in a process of its own: `python -m tests.system.huge`. The suite
runs the same scenarios smaller (tests/system/test_huge.py)."""
