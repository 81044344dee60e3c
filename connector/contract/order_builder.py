"""One row of the mapping as the order that Redo takes, or everything that is wrong with it.

`RedoContract` implements `Contract` of `connector.pipeline.ports`. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from connector.contract import exact_json, field_digest, version_checks
from connector.contract.canonical import Ignored, canonical, fingerprint_of, ignoring, parts
from connector.contract.rules.checks import check, noted
from connector.contract.rules.rule_book import RuleBook
from connector.contract.schema.currencies import Scales
from connector.contract.schema.field_tree import field_tree
from connector.contract.schema.fields import Reading, utc
from connector.contract.schema.models import CustomOrder
from connector.contract.schema.validation_errors import violations
from connector.contract.signature import signature
from connector.model.errors import ConfigurationError, InvalidOrder, Problem
from connector.model.orders import Document, Order, OrderKey, Place, Suspicion, Violation, order_id_of

MOST_VIOLATIONS: Final = 100
"""So many are named, the others counted: a mistake of the mapping is one of every line."""
CANCEL_REASON: Final = "other"
"""Redo's `cancelReason` for an order of which only its absence from the mapping is known."""


DEFAULTS: Final = RuleBook({})


class RedoContract:
    """Puts the mapping's documents into the form that Redo takes.

    `timezone`: the IANA name for zone-less times. `ignore`: dotted paths whose changes alone make no difference. An
    order goes to the store that its row names, one of `stores`, else to `store_id`. `rules`: what becomes of an order
    that breaks one. Raises ConfigurationError for a time zone or a path that doesn't exist.
    """

    def __init__(
        self,
        timezone: str = "UTC",
        ignore: Sequence[str] = ("updatedAt",),
        store_id: str = "",
        stores: frozenset[str] = frozenset(),
        rules: RuleBook = DEFAULTS,
    ) -> None:
        problems = [*_unknown_zone(timezone), *_unknown_paths(ignore)]
        if problems:
            raise ConfigurationError(problems)
        self._timezone = ZoneInfo(timezone)
        self.terms = rules.terms
        """What the settings say of rules: another text where other orders may be refused, or sent otherwise."""
        self.signature = signature(timezone, (timezone, sorted(ignore), store_id, sorted(stores), rules.terms))
        """The same only where equal documents make equal orders."""
        self._rules = rules
        self._scales = Scales(keep=rules.keep_digits)
        self._store_id = store_id
        self._stores = stores | {store_id}
        self._ignored: Ignored = ignoring(ignore)
        self._ignored_with_time: Ignored = {**self._ignored, "updatedAt": {}}
        # Should the order return, its fingerprint must differ from the cancelled one's, whatever is ignored.
        self._ignored_if_cancelled = {name: below for name, below in self._ignored.items() if name != "cancelledAt"}

    def order(self, document: Document, seen_at: float) -> Order:
        """The order for one row of the mapping. `seen_at` (seconds since 1970) becomes `updatedAt` where the row has
        none, and is then no part of the fingerprint. Raises InvalidOrder with every violation found, or the first of
        many."""
        row = dict(document)
        store_id, misplaced = self._store(row)
        order_id = order_id_of(row.get("id"))
        timeless = _complete(row, seen_at)
        reading = self._reading(row)
        try:
            payload = CustomOrder.read(row, reading)
        except ValidationError as error:
            found = _merge(
                violations(error, MOST_VIOLATIONS), self._rules.violations(check(respelled(row), self._scales))
            )
            raise InvalidOrder(_first([*misplaced, *found]), store_id, order_id) from None
        # Before anything is left out of it, so that paths are the row's.
        findings = [*noted(payload, reading.notes)] if reading.notes else []
        findings += check(payload, self._scales)
        if broken := [*misplaced, *(self._rules.violations(findings) if findings else ())]:
            raise InvalidOrder(_first(broken), store_id, order_id)
        ignored = self._ignored_with_time if timeless else self._ignored
        warnings = self._rules.warnings(findings) if findings else ()
        try:
            return _order(Place(store_id, payload["id"]), payload, ignored, warnings)
        except InvalidOrder as error:
            raise InvalidOrder(error.violations, store_id, order_id) from None

    def cancelled(self, payload: bytes, place: Place, now: float) -> Order | None:
        """An order that left the mapping, as a cancelled one: the body that Redo accepted at a place with `cancelledAt`
        and `updatedAt` at `now` (seconds since 1970). None when it was cancelled already."""
        accepted: dict[str, Any] = exact_json.loads(payload)
        if accepted.get("cancelledAt") is not None:
            return None
        moment = utc(datetime.fromtimestamp(now, UTC))
        changed = accepted | {"cancelledAt": moment, "cancelReason": CANCEL_REASON, "updatedAt": moment}
        return _order(place, changed, self._ignored_if_cancelled)

    line_items = staticmethod(version_checks.line_items)
    changed_fields = staticmethod(field_digest.changed_fields)

    def suspicions(self, before: bytes, after: bytes) -> tuple[Suspicion, ...]:
        """What is suspicious about an order's new traits, given the accepted ones."""
        return self._rules.told(version_checks.suspicions(before, after))

    def reused(self, traits: bytes, owners: Mapping[int, OrderKey]) -> tuple[Suspicion, ...]:
        """A warning for each line item that another order has, too. `owners`: which one, by the line item's hash."""
        return self._rules.told(version_checks.reused(traits, owners))

    def _reading(self, row: Mapping[str, Any]) -> Reading:
        presentment, shop = _currency(row, "presentment"), _currency(row, "shop")
        scale_of = self._scales.of
        return Reading(self._timezone, presentment, shop, scale_of(presentment), scale_of(shop))

    def _store(self, row: dict[str, Any]) -> tuple[str, list[Violation]]:
        """Take the store's id, which is no field of Redo's order, out of the row: the id, empty when it is wrong, and
        what is wrong with it."""
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


def _order(place: Place, payload: Mapping[str, Any], ignored: Ignored, warnings: tuple[Suspicion, ...] = ()) -> Order:
    body = exact_json.dumps(payload)
    fields = parts(canonical(payload, ignored))
    traits = version_checks.traits_of(payload, place.store_id)
    digest = field_digest.digest(fields)
    return Order(place.order_id, body, fingerprint_of(fields), digest, place.store_id, traits, warnings)


def respelled(value: Any, levels: int = 10) -> Any:
    """A copy with all names in camelCase, for the rules to read when the models have refused the row. No rule reads
    deeper than `levels`."""
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
    row["updatedAt"] = datetime.fromtimestamp(seen_at, UTC)
    return True


def _currency(row: Mapping[str, Any], which: str) -> str | None:
    code = row.get(f"{which}Currency", row.get(f"{which}_currency"))
    return code if isinstance(code, str) else None


def _merge(first: Sequence[Violation], second: Sequence[Violation]) -> list[Violation]:
    """Both, but only the first for a path that both complain about."""
    known = {violation.path for violation in first}
    return [*first, *(violation for violation in second if violation.path not in known)]


def _first(found: list[Violation]) -> list[Violation]:
    more = len(found) - MOST_VIOLATIONS
    return found if more <= 0 else [*found[:MOST_VIOLATIONS], Violation("", f"and {more:,} more")]


def _unknown_zone(timezone: str) -> Iterator[Problem]:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # a directory's or a broken file's name gives the latter two
        hint = "use an IANA name such as UTC or America/New_York"
        yield Problem("the time zone is unknown on this machine", hint, "source.timezone")


def _unknown_paths(paths: Sequence[str]) -> Iterator[Problem]:
    for path in paths:
        level = field_tree()
        for step in path.split("."):
            name = to_camel(step)
            if name not in level:
                hint = "write a field of Redo's order as in lineItems.image, without list indexes"
                yield Problem(f"{path} is not a path in Redo's order", hint, "mapping.ignore")
                break
            level = level[name]
