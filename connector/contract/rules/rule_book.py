"""Every rule by name: what breaks it, what is pushed then, and whether the order is pushed at all.

A refused order becomes a dead letter and is stale at Redo from then on. So a rule refuses only what Redo documents as
refused, and what would silently cost the shopper something. All else is pushed and warned of. `contract.rules` in the
settings says otherwise, rule by rule. An order is pushed in the same form whether its rule is `warn` or `off`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import Suspicion, Violation

Mode: TypeAlias = Literal["refuse", "warn", "off"]

SETTING: Final = "contract.rules"
_ANY: Final[tuple[Mode, ...]] = ("refuse", "warn", "off")
_REFUSED: Final[tuple[Mode, ...]] = ("refuse",)
_TOLD: Final[tuple[Mode, ...]] = ("warn", "off")


@dataclass(frozen=True, slots=True)
class Rule:
    """`broken_by`, `pushed` (empty: as it is) and `reason` are what the documentation's table says."""

    name: str
    default: Mode
    broken_by: str
    reason: str
    pushed: str = ""
    modes: tuple[Mode, ...] = _ANY


class Finding(NamedTuple):
    """A rule is broken at a place. `message` completes a sentence that begins with the path, and holds no value."""

    rule: str
    path: str
    message: str


_ALL: Final = (
    Rule(
        "schema",
        "refuse",
        "a required field that is missing, or a value of another type than Redo's published schema asks for",
        "Redo answers 400",
        modes=_REFUSED,
    ),
    Rule(
        "order_id",
        "refuse",
        "an order's id of more than 255 characters, or with a zero byte",
        "it is part of the request's address and of the checkpoint's key",
        modes=_REFUSED,
    ),
    Rule("no_line_items", "refuse", "no line items", "Redo asks for at least one", modes=_REFUSED),
    Rule(
        "duplicate_id",
        "refuse",
        "two line items, fulfillments or refunds of an order with one id",
        "Redo answers 400; returns refer to line items by id",
        modes=_REFUSED,
    ),
    Rule(
        "email",
        "refuse",
        "an e-mail address that JSON Schema's `email` doesn't accept",
        "Redo answers 400",
        modes=_REFUSED,
    ),
    Rule(
        "currency_code",
        "refuse",
        "a currency that isn't three capitals",
        "Redo asks for an ISO 4217 code; nothing could be paid back in it",
        modes=_REFUSED,
    ),
    Rule(
        "coverage",
        "refuse",
        "a line of Redo's protection with only some of its marks, or with an unknown kind of coverage; a second one",
        "the shopper would silently lose the coverage that was paid for",
    ),
    Rule(
        "line_item_id_underscore",
        "refuse",
        "a line item's id with an underscore",
        "Redo's returns can't refer to it, and a later change of ids orphans those that do",
    ),
    Rule(
        "over_fulfilled",
        "warn",
        "more of a line fulfilled than ordered",
        "exchanges and replacements do that",
    ),
    Rule(
        "fulfilled_line_gone",
        "warn",
        "a fulfillment of a line item that the order hasn't",
        "lines are removed from orders after they were shipped",
        "without that line",
    ),
    Rule(
        "refunded_line_gone",
        "warn",
        "a refund of a line item that the order hasn't",
        "lines are removed from orders after they were paid back; Redo ignores them",
        "without that line",
    ),
    Rule(
        "returnable_quantity",
        "warn",
        "a returnable quantity below zero or above the line's quantity",
        "counts of returns and of lines are kept apart, and drift",
        "as zero, or as the line's quantity",
    ),
    Rule(
        "null_entry",
        "warn",
        "NULL for a metafield or property, or in one",
        "most columns behind them are nullable",
        "without that entry",
    ),
    Rule(
        "currency_not_active",
        "warn",
        "a currency that isn't on ISO 4217's list of active ones",
        "old orders are in retired currencies",
    ),
    Rule(
        "email_unusual",
        "warn",
        "an e-mail address that is valid, and that no mail is sent to from elsewhere: no dot in its domain, quotes, an"
        " address of a machine",
        "the shopper may not get Redo's mails",
    ),
    Rule(
        "country_code",
        "warn",
        "a country that isn't one of ISO 3166-1's codes of two capitals",
        "Redo may not know where the parcel went, nor which rules for returns hold",
    ),
    Rule(
        "amount_decimals",
        "warn",
        "an amount with digits beyond the currency's decimals (zeros don't count)",
        "nobody can be paid a fraction of the smallest coin",
        "rounded half-even to the currency's decimals, unless `contract.amounts` is `keep`",
    ),
    Rule(
        "negative_amount",
        "warn",
        "a negative price or discount",
        "Redo may refund more than was paid: a negative line is a discount, a negative discount a surcharge",
    ),
    Rule("negative_refund", "warn", "a negative amount in a refund", "refunds are sent as positive amounts"),
    Rule(
        "negative_quantity",
        "warn",
        "a negative quantity of a line, or of a fulfilled one",
        "what came back is a refund, not a line",
    ),
    Rule("empty_sku", "warn", "an empty sku", "the return portal and its rules name items by it"),
    Rule("empty_title", "warn", "an empty title of a line item", "the shopper reads it in the return portal"),
    Rule(
        "line_item_id_changed",
        "warn",
        "a product that Redo has under one line item id, under another",
        "returns that refer to the old id are orphaned: make ids stable in the mapping",
        modes=_TOLD,
    ),
    Rule(
        "line_item_id_reused",
        "warn",
        "a line item id that another order of the store has",
        "returns can't tell the two apart",
        modes=_TOLD,
    ),
    Rule(
        "refunds_shrunk",
        "warn",
        "a refund that Redo accepted, and that is gone or smaller",
        "`refunds` is the full set on every sync",
        modes=_TOLD,
    ),
)

RULES: Final[Mapping[str, Rule]] = {rule.name: rule for rule in _ALL}
WARNINGS: Final = tuple(rule.name for rule in _ALL if "warn" in rule.modes)
"""Rules that may be warned of."""


class RuleBook:
    """What becomes of an order that breaks a rule. `settings`: `contract.rules`; raises ConfigurationError for a rule
    that there isn't, and for what a rule can't be."""

    def __init__(self, settings: Mapping[str, Mode], *, keep_digits: bool = False) -> None:
        if problems := [*_problems(settings)]:
            raise ConfigurationError(problems)
        self.keep_digits = keep_digits
        self._modes: dict[str, Mode] = {rule.name: settings.get(rule.name, rule.default) for rule in _ALL}

    @property
    def terms(self) -> str:
        """What differs from the defaults, as text."""
        changed = sorted((name, mode) for name, mode in self._modes.items() if mode != RULES[name].default)
        return repr((changed, self.keep_digits))

    def violations(self, findings: Iterable[Finding]) -> list[Violation]:
        """Those for which the order is refused."""
        return [
            Violation(path, _refused(rule, message)) for rule, path, message in findings if self._is(rule, "refuse")
        ]

    def warnings(self, findings: Iterable[Finding]) -> tuple[Suspicion, ...]:
        """One for each rule that is broken, with the first place."""
        places: dict[str, list[Finding]] = {}
        for finding in findings:
            if self._is(finding.rule, "warn"):
                places.setdefault(finding.rule, []).append(finding)
        return tuple(Suspicion(rule, self._words(found)) for rule, found in places.items())

    def told(self, suspicions: Sequence[Suspicion]) -> tuple[Suspicion, ...]:
        """Those of them that are to be warned of."""
        return tuple(one for one in suspicions if self._is(one.kind, "warn"))

    def _is(self, rule: str, mode: Mode) -> bool:
        return self._modes[rule] == mode

    def _words(self, found: Sequence[Finding]) -> str:
        first, pushed = found[0], RULES[found[0].rule].pushed
        if first.rule == "amount_decimals":
            pushed = "with its digits" if self.keep_digits else "rounded half-even"
        told = f"{first.path}: {first.message}" + (f"; it is pushed {pushed}" if pushed else "")
        more = len(found) - 1
        return told + (f" (and {more:,} more place{'s' * (more > 1)})" if more else "")


def _refused(rule: str, message: str) -> str:
    return message if RULES[rule].modes == _REFUSED else f"{message} (rule {rule})"


def _problems(settings: Mapping[str, Mode]) -> Iterator[Problem]:
    for name, mode in settings.items():
        where = f"{SETTING}.{name}"
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else "docs/rules.md lists them all"
            yield Problem("is not a rule", hint, where)
        elif mode not in (modes := RULES[name].modes):
            why = (
                "Redo refuses what breaks it" if modes == _REFUSED else "it is known only once the order is on its way"
            )
            hint = f"leave it out, or write {' or '.join(modes)}: {why}"
            yield Problem(f"can't be {mode}", hint, where)
