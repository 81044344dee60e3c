"""The arguments of a request, as they have to be. Any program may have left it in the inbox, of another version of ours
too. All raise ConnectorError, which quotes nothing of what is wrong; then nothing of the request is carried out."""

from __future__ import annotations

from typing import Any, Final

from connector.checkpoints.requests import Request
from connector.model.errors import ConnectorError
from connector.model.orders import OrderKey, named_key
from connector.model.texts import is_storable

_LARGEST: Final = 2**62
"""Of a number: the stores keep integers of 64 bits."""
_LONGEST_GROUP: Final = 200
"""Characters of the name of a group of dead letters, which are far shorter."""


def keys(request: Request) -> list[OrderKey] | None:
    """None when it names no orders."""
    if "keys" not in request.arguments:
        return None
    found = request.arguments["keys"]
    if not isinstance(found, list):
        raise ConnectorError("the request's orders are no list of keys: nothing was done; ask again")
    named = []
    for at, text in enumerate(found, 1):
        try:
            named.append(named_key(text))
        except ValueError as error:
            which = f"order {at} of {len(found)}: " if len(found) > 1 else ""
            raise ConnectorError(f"{which}{error}: nothing was done; ask again without it") from None
    return named


def group(request: Request) -> str | None:
    """Of dead letters; None for all of them."""
    found = request.arguments.get("group")
    if found is None or (isinstance(found, str) and len(found) <= _LONGEST_GROUP and is_storable(found)):
        return found
    raise ConnectorError("the request's group is no name of one: `redo-connector dead-letters list` has them")


def hold(request: Request) -> int:
    return _number("hold", request.arguments.get("hold"))


def limit(request: Request) -> int | None:
    """How many orders; None for all."""
    found = request.arguments.get("limit")
    return None if found is None else _number("number of orders", found)


def _number(name: str, found: Any) -> int:
    if isinstance(found, int) and not isinstance(found, bool) and 0 < found < _LARGEST:
        return found
    raise ConnectorError(f"the request's {name} is no number that there can be: nothing was done; ask again")
