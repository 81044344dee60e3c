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
    store_id = settings.redo.store_id
    try:
        address = factories.redo_endpoints(settings)[store_id]
        client = factories.redo_client(settings, None)
    except ConfigurationError as error:
        redo.problems += error.problems
        return
    try:
        outcome = (await client.read(Place(store_id, _NO_ORDER))).outcome
    finally:
        await client.aclose()
    if problem := _problem(outcome):
        redo.problems.append(problem)
    elif outcome.kind is OutcomeKind.ACCEPTED:
        redo.fine.append(f"{address} knows store {store_id} and takes the API secret")
    else:
        why = outcome.message or outcome.reason
        redo.unseen.append(f"the API secret at {address}, which is first used by `run`: {why}")


def _problem(outcome: Outcome) -> Problem | None:
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 401:
        hint = "check redo.api_secret, and that it is current"
        return Problem("Redo refused the API secret", hint, "redo.api_secret")
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 404:
        what, hint = "Redo knows no such store", "check redo.store_id, and redo.base_url or redo.orders_url"
        return Problem(what, hint, "redo.store_id")
    if outcome.status is None and outcome.kind is not OutcomeKind.ACCEPTED and outcome.reason != "no_address":
        hint = "check the address, network, proxy and DNS; orders wait in the ledger until Redo answers"
        return Problem(outcome.message, hint, "redo.base_url")
    return None
