"""Endpoints of the store in memory: the same answers as the SQL of `endpoints`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from connector.checkpoints.memory_accepted import AcceptedRows
from connector.checkpoints.memory_letters import LetterRows
from connector.model.orders import OrderKey
from connector.pipeline.ports.records import Endpoint


class EndpointRows:
    """`accepted` and `letters` are what the active endpoints hold."""

    def __init__(self, accepted: AcceptedRows, letters: LetterRows) -> None:
        self._accepted = accepted
        self._letters = letters
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._parked: dict[tuple[str, str], tuple[AcceptedRows, LetterRows]] = {}

    def all(self) -> list[Endpoint]:
        return [
            replace(one, orders=self._accepted.orders(one.store_id)) if one.active else one
            for _, one in sorted(self._endpoints.items())
        ]

    def active(self) -> set[tuple[str, str]]:
        return {name for name, one in self._endpoints.items() if one.active}

    def approve(self) -> None:
        for name in self.active():
            self._endpoints[name] = replace(self._endpoints[name], approved=True)

    def doubt(self) -> None:
        for parked, _ in self._parked.values():
            parked.doubt([*parked.checkpoints])

    def leave(
        self, name: tuple[str, str], doubtful: Callable[[Iterable[OrderKey]], Iterable[OrderKey]]
    ) -> set[OrderKey]:
        """Park what it accepted. Returns the orders of its checkpoints."""
        orders = self._accepted.orders(name[0])
        parked, letters = self._parked.setdefault(name, (self._accepted.another(), LetterRows()))
        self._accepted.move(name[0], parked)
        self._letters.move(name[0], letters)
        parked.doubt(doubtful(parked.checkpoints))
        self._endpoints[name] = replace(self._endpoints[name], active=False, orders=orders)
        return set(parked.checkpoints)

    def come(self, name: tuple[str, str], *, approved: bool) -> set[OrderKey]:
        """Returns the orders whose outcome was open when it was left."""
        known = self._endpoints.get(name, Endpoint(*name, active=True, approved=False, orders=0))
        self._endpoints[name] = replace(known, active=True, approved=known.approved or approved)
        if name in self._parked:
            parked, letters = self._parked.pop(name)
            late = {key for key, one in parked.checkpoints.items() if not one.fingerprint} | {*parked.remaining()}
            parked.move(name[0], self._accepted)
            letters.move(name[0], self._letters)
            return late
        return set()
