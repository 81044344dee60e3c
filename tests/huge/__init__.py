"""Huge transactions, in front of the real command in a process of its own: `python -m tests.huge`. The suite runs the
same scenarios smaller (tests/test_huge.py)."""
