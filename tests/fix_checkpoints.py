"""Checkpoint stores for tests: each promise is checked of every implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.checkpoints.opening import open_checkpoints
from connector.pipeline.memory import Memory


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> Path:
    """Where a checkpoint file may be made."""
    return tmp_path / "connector.db"


@pytest.fixture(params=["sqlite", "memory"])
async def memory(request: pytest.FixtureRequest, checkpoint_file: Path) -> AsyncIterator[Memory]:
    """An empty store."""
    store = open_checkpoints("memory:" if request.param == "memory" else f"sqlite:///{checkpoint_file}")
    yield store
    await store.close()
