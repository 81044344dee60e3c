"""What a check found, by topic: what is as it should be, what isn't, and what couldn't be looked at. Leaf module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from connector.model.errors import Problem


class Topic(StrEnum):
    """In the order in which a person mends them."""

    SETTINGS = "settings"
    DATABASE = "database"
    PRIVILEGES = "privileges"
    STREAM = "publication and slot"
    MAPPING = "mapping"
    ROUTES = "routes and indexes"
    ORDERS = "orders"
    REDO = "Redo"
    CHECKPOINTS = "checkpoints"
    STATUS = "status port"


@dataclass(slots=True)
class Findings:
    """Of one topic. `fine`: what was found, in a few words each; `unseen`: what wasn't looked at, and why."""

    fine: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def serious(self) -> bool:
        return any(not problem.warning for problem in self.problems)

    def found(self, problems: Iterable[Problem], fine: str) -> None:
        """`fine` is what to say where there are no problems."""
        before = len(self.problems)
        self.problems += problems
        if len(self.problems) == before:
            self.fine.append(fine)


class Checklist:
    def __init__(self) -> None:
        self._of: dict[Topic, Findings] = {}

    def of(self, topic: Topic) -> Findings:
        """What was found of it, to be added to."""
        return self._of.setdefault(topic, Findings())

    def add(self, other: Checklist) -> None:
        for topic, found in other:
            mine = self.of(topic)
            mine.fine += found.fine
            mine.problems += found.problems
            mine.unseen += found.unseen

    def unseen(self, why: str, *topics: Topic) -> None:
        for topic in topics:
            self.of(topic).unseen.append(why)

    def __iter__(self) -> Iterator[tuple[Topic, Findings]]:
        """In the order of topics."""
        return ((topic, self._of[topic]) for topic in Topic if topic in self._of)

    @property
    def problems(self) -> list[Problem]:
        """Of all topics; one that several looks came upon is told once."""
        return list(dict.fromkeys(problem for _, found in self for problem in found.problems))

    @property
    def serious(self) -> bool:
        """Whether anything must be mended before a connector can run."""
        return any(found.serious for _, found in self)
