"""`check` of Redo: asked for an order that doesn't exist, so that a refused token shows, and nothing changes there."""

from __future__ import annotations

from typing import Final

from connector.model.checklist import Findings
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import Outcome, OutcomeKind, Place
from connector.settings.config import Settings
from connector.wiring import factories

_NO_ORDER: Final = "redo-connector-check"


async def check_redo(settings: Settings, redo: Findings) -> None:
    """Each store of the settings."""
    try:
        addresses = factories.redo_endpoints(settings)
        client = factories.redo_client(settings, None)
    except ConfigurationError as error:
        redo.problems += error.problems
        return
    try:
        for store_id, address in addresses.items():
            outcome = (await client.read(Place(store_id, _NO_ORDER))).outcome
            where = "redo" if store_id == settings.redo.store_id else f"redo.stores.{store_id}"
            _judge(outcome, store_id, address, where, redo)
    finally:
        await client.aclose()


def _judge(outcome: Outcome, store_id: str, address: str, where: str, redo: Findings) -> None:
    if problem := _problem(outcome, where):
        redo.problems.append(problem)
    elif outcome.kind is OutcomeKind.ACCEPTED:
        redo.fine.append(f"{address} knows store {store_id} and takes the API secret")
    else:
        why = outcome.message or outcome.reason
        redo.unseen.append(f"the API secret at {address}, which is first used by `run`: {why}")


def _problem(outcome: Outcome, where: str) -> Problem | None:
    """`where`: the section of the settings that the store is in."""
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 401:
        hint = f"check {where}.api_secret, and that it is current"
        return Problem("Redo refused the API secret", hint, f"{where}.api_secret")
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 404:
        hint = f"check the store's id, and {where}.base_url or {where}.orders_url"
        return Problem("Redo knows no such store", hint, "redo.store_id" if where == "redo" else where)
    if outcome.status is None and outcome.kind is not OutcomeKind.ACCEPTED and outcome.reason != "no_address":
        hint = "check the address, network, proxy and DNS; orders wait in the ledger until Redo answers"
        return Problem(outcome.message, hint, f"{where}.base_url")
    return None
