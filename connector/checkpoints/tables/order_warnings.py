"""Warnings: suspicions about orders that were pushed nevertheless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.checkpoints.engine import Session
from connector.model.orders import OrderKey, WarningKind
from connector.pipeline.ports.records import Settlement, Warned

KEPT: Final = 10_000
"""The latest so many are remembered."""


def settle(session: Session, settlements: Sequence[Settlement], now: float) -> None:
    """Remember what was suspicious."""
    found: dict[tuple[OrderKey, str], tuple[str, int]] = {}
    for one in settlements:
        for suspicion in one.warnings:
            name = (one.entry.key, suspicion.kind.value)
            found[name] = (suspicion.message, found.get(name, ("", 0))[1] + 1)
    if found:
        session.run_rows("warning_add", [(*name, message, now, times) for name, (message, times) in found.items()])
        session.run("warning_forget_oldest", kept=KEPT)


def latest(session: Session, limit: int) -> list[Warned]:
    """The latest first."""
    return [Warned(key, WarningKind(kind), *rest) for key, kind, *rest in session.rows("warning_latest", limit=limit)]
