"""One row of the mapping as the order that Redo takes, or everything that is wrong with it.

The `Contract` of `pipeline.ports`: models, rules, canonical form, put together. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from connector.contract import digest, rules
from connector.contract import traits as history
from connector.contract.cancelling import cancelled_payload
from connector.contract.canonical import Ignored, canonical, exact, fingerprint_of, ignoring
from connector.contract.fields import Reading, utc
from connector.contract.models import CustomOrder
from connector.contract.shape import shape
from connector.contract.violations import violations
from connector.model.errors import ConfigurationError, InvalidOrder, Problem
from connector.model.orders import Document, Order, OrderKey, Place, Suspicion, Violation

_NOT_TEXT: Final = (
    "holds bytes that are no text in the database's encoding (see source.fallback_encoding),"
    " or half of a surrogate pair"
)
DEEPEST: Final = 200
"""Levels of nesting that the serialiser takes, with room to spare."""


class RedoContract:
    """Redo's rules for one source.

    `timezone` is an IANA name for zone-less times; `ignore` are the paths that alone make no difference. An order goes
    to the store that its row names, one of `stores`, or else to `store_id`. Raises ConfigurationError when time zone
    or paths name something that doesn't exist.
    """

    def __init__(
        self,
        timezone: str = "UTC",
        ignore: Sequence[str] = ("updatedAt",),
        store_id: str = "",
        stores: frozenset[str] = frozenset(),
    ) -> None:
        problems = [*_unknown_zone(timezone), *_unknown_paths(ignore)]
        if problems:
            raise ConfigurationError(problems)
        self._timezone = ZoneInfo(timezone)
        self._store_id = store_id
        self._stores = stores | {store_id}
        self._ignored: Ignored = ignoring(ignore)
        self._ignored_with_time: Ignored = {**self._ignored, "updatedAt": {}}
        # Should the order return, its fingerprint must differ from the cancelled one's, whatever is ignored.
        self._ignored_if_cancelled = {name: below for name, below in self._ignored.items() if name != "cancelledAt"}

    def order(self, document: Document, seen_at: float) -> Order:
        """The payload for one row of the mapping. `seen_at`, in seconds since 1970, is its `updatedAt` where the row
        has none; such a time never makes a difference. Raises InvalidOrder with every violation found."""
        row = dict(document)
        store_id, misplaced = self._store(row)
        timeless = _complete(row, seen_at)
        reading = Reading(self._timezone, _currency(row, "presentment"), _currency(row, "shop"))
        try:
            model = CustomOrder.model_validate(row, context=reading)
        except ValidationError as error:
            found = _merge(violations(error), rules.check(respelled(row)))
            raise InvalidOrder([*misplaced, *found], store_id) from None
        payload = model.model_dump(by_alias=True, exclude_unset=True)
        if broken := [*misplaced, *rules.check(payload)]:
            raise InvalidOrder(broken, store_id)
        ignored = self._ignored_with_time if timeless else self._ignored
        try:
            return _order(Place(store_id, model.id), payload, ignored)
        except InvalidOrder as error:
            raise InvalidOrder(error.violations, store_id) from None

    def cancelled(self, payload: bytes, place: Place, now: float) -> Order | None:
        """The body of an order that Redo accepted at a place, as a cancelled order; None when it was one already.
        `now` in seconds since 1970."""
        changed = cancelled_payload(payload, now)
        return None if changed is None else _order(place, changed, self._ignored_if_cancelled)

    def suspicions(self, before: bytes, after: bytes) -> tuple[Suspicion, ...]:
        """What is suspicious about an order's traits, given those that Redo accepted."""
        return history.suspicions(before, after)

    def line_items(self, traits: bytes) -> frozenset[int]:
        """Hashes of the line item ids, each within the signed 64 bits."""
        return history.line_items(traits)

    def reused(self, traits: bytes, line_item: int, owner: OrderKey) -> Suspicion:
        """The words for a line item id that another order has."""
        return history.reused(traits, line_item, owner)

    def changed_fields(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """The top-level fields in which two digests differ; empty when that can't be told."""
        return digest.changed_fields(before, after)

    def _store(self, row: dict[str, Any]) -> tuple[str, list[Violation]]:
        """Take the store out of the row: it says where the order goes and is no part of it. Empty when it's wrong."""
        given = [value for name in ("store_id", "storeId") if (value := row.pop(name, None)) is not None]
        if not given:
            return self._store_id, []
        if not all(type(value) in (str, int) for value in given):
            return "", [Violation("store_id", "must be text or a whole number")]
        store_id, *more = {str(value) for value in given}
        if more:
            message = "is given in two spellings (store_id, storeId) that differ: keep one"
            return "", [Violation("store_id", message)]
        if store_id not in self._stores:
            message = "is no store of the settings: add [redo.stores.<id>] with its api_secret (`preview` shows the id)"
            return "", [Violation("store_id", message)]
        return store_id, []


def _order(place: Place, payload: Mapping[str, Any], ignored: Ignored) -> Order:
    body = serialise(payload)
    form = canonical(payload, ignored)
    traits = history.traits(payload, place.store_id)
    return Order(place.order_id, body, fingerprint_of(form), digest.digest(form), place.store_id, traits)


def serialise(payload: Mapping[str, Any]) -> bytes:
    """JSON with every digit kept. Raises InvalidOrder for what JSON in UTF-8 can't carry."""
    try:
        return orjson.dumps(payload, default=exact)
    except TypeError:
        return orjson.dumps(_portable(payload, "", 0), default=exact)


def respelled(value: Any, levels: int = 10) -> Any:
    """A copy with all names in camelCase, for the rules to read where the models gave up. No rule reads deeper."""
    if levels == 0:
        return None
    if isinstance(value, dict):
        return {to_camel(name): respelled(below, levels - 1) for name, below in value.items()}
    return [respelled(below, levels - 1) for below in value] if isinstance(value, list) else value


def _complete(row: dict[str, Any], seen_at: float) -> bool:
    """Fill in what the mapping may leave out. True when the row has no time of its own."""
    if row.get("type") is None:
        row["type"] = "order"
    if row.get("updatedAt") is not None or row.get("updated_at") is not None:
        return False
    row.pop("updated_at", None)
    row["updatedAt"] = utc(datetime.fromtimestamp(seen_at, UTC))
    return True


def _currency(row: Mapping[str, Any], which: str) -> str | None:
    code = row.get(f"{which}Currency", row.get(f"{which}_currency"))
    return code if isinstance(code, str) else None


def _merge(first: Sequence[Violation], second: Sequence[Violation]) -> list[Violation]:
    """Both, but only the first for a path that both complain about."""
    known = {violation.path for violation in first}
    return [*first, *(violation for violation in second if violation.path not in known)]


def _portable(value: Any, path: str, depth: int) -> Any:
    """The payload with integers beyond 64 bits spelled out. Raises InvalidOrder naming what can't be sent."""
    if depth > DEEPEST:
        raise InvalidOrder([Violation(path, "is nested too deeply to be sent")])
    if isinstance(value, str):
        return _utf8(value, path)
    if isinstance(value, dict):
        return {
            _utf8(name, path): _portable(below, f"{path}.{name}" if path else name, depth + 1)
            for name, below in value.items()
        }
    if isinstance(value, list):
        return [_portable(below, f"{path}[{at}]", depth + 1) for at, below in enumerate(value)]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def _utf8(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidOrder([Violation(path, _NOT_TEXT)]) from None
    return text


def _unknown_zone(timezone: str) -> Iterator[Problem]:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # a directory's or a broken file's name gives the latter two
        hint = "use an IANA name such as UTC or America/New_York"
        yield Problem("the time zone is unknown on this machine", hint, "source.timezone")


def _unknown_paths(paths: Sequence[str]) -> Iterator[Problem]:
    for path in paths:
        level = shape()
        for step in path.split("."):
            name = to_camel(step)
            if name not in level:
                hint = "write a field of Redo's order as in lineItems.image, without list indexes"
                yield Problem(f"{path} is not a path in Redo's order", hint, "mapping.ignore")
                break
            level = level[name]
