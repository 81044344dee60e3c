"""Who leads: one connector writes a store, the others wait for their turn.

What the leader says of itself is a note of the store, for people and for whoever leads next; the lock decides.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Final

from connector.checkpoints.store import Checkpoints
from connector.checkpoints.vault import Vault

LEADER_NOTE: Final = "leader"


@dataclass(frozen=True, slots=True)
class Leader:
    """`instance`: its name; `since`: seconds since 1970; `term`: how many have led so far, this one included; `lease`:
    how long it may push after the server answered last (s); `left`: it has ended by itself, and pushes no more;
    `serves`: from where to where it delivers, as its settings say; `page`: where its status page is, for people."""

    instance: str
    since: float
    term: int = 1
    lease: float = 0.0
    left: bool = False
    serves: str = ""
    page: str = ""

    def dump(self) -> str:
        return json.dumps(asdict(self))


def read_leader(note: str | None) -> Leader | None:
    """None where there is no note, or one that can't be read. A later version's may say more."""
    try:
        said = {} if note is None else dict(json.loads(note))
        return Leader(**{name: said[name] for name in Leader.__slots__ if name in said})
    except (ValueError, TypeError):
        return None


class Candidate(ABC):
    """Waits for the right to write a store, which at most one process has. Its methods may wait for a server or a disk:
    not on an event loop, and one at a time. All raise ConfigurationError for a store that won't do (a newer version's,
    say) and CheckpointsUnwritable."""

    @abstractmethod
    def take(self) -> bool:
        """Whether this process leads now. Waits for nobody; while another one leads, it is seen that this one waits."""

    @abstractmethod
    def noted(self, name: str) -> str | None:
        """A note of the store: who leads, say. None where there is none."""

    @abstractmethod
    def open_store(self, vault: Vault | None) -> Checkpoints:
        """After `take` was true, once: the store, made or brought to this version. The right goes with it."""

    @abstractmethod
    def close(self) -> None:
        """Give up what is held."""
