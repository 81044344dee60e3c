"""Checks of single JSON values, of which `rules` is built.

A check returns what is wrong with a value as Redo's `errors` has it: None, a message, or an object with the value's
structure. Shares nothing with `connector.contract`, so that both can't have the same mistake.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

Errors: TypeAlias = "str | dict[str, Errors] | None"
Check: TypeAlias = Callable[[Any], "Errors"]
Fields: TypeAlias = Mapping[str, Check]

_LOCAL_PART: Final = re.compile(r'[^@\s"(),:;<>\[\]\\]{1,64}|"(?:[^"\\]|\\.){0,62}"')
_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"{_PART}(?:\.{_PART})*|\[[0-9A-Za-z:.]+\]")
_AMOUNT: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_CODE: Final = re.compile(r"[A-Z]{3}")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)")


def text(value: Any) -> Errors:
    return None if isinstance(value, str) else "Expected string"


def name(value: Any) -> Errors:
    """A string that identifies something."""
    return text(value) or (None if value else "Must not be empty")


def number(value: Any) -> Errors:
    fine = type(value) is int or (type(value) is float and math.isfinite(value))
    return None if fine else "Expected number"


def count(value: Any) -> Errors:
    if number(value) or value != int(value):
        return "Expected integer"
    return None if value >= 1 else "Must be greater than or equal to 1"


def email(value: Any) -> Errors:
    """A mailbox and a host, which may be a machine's name or address."""
    if not isinstance(value, str):
        return "Expected string"
    mailbox, _, host = value.rpartition("@")
    return None if _LOCAL_PART.fullmatch(mailbox) and _HOST.fullmatch(host) else "Invalid email"


def amount(value: Any) -> Errors:
    return text(value) or (None if _AMOUNT.fullmatch(value) else "Expected a decimal amount")


def currency(value: Any) -> Errors:
    return text(value) or (None if _CODE.fullmatch(value) else "Invalid currency")


def instant(value: Any) -> Errors:
    """ISO 8601 with a zone."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return "Expected an ISO 8601 timestamp with a time zone"
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "No such time"
    return None


def one_of(*allowed: str) -> Check:
    return lambda value: (
        None if value in allowed and isinstance(value, str) else f"Expected one of {', '.join(allowed)}"
    )


def nullable(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def rows(check: Check) -> Check:
    def every(value: Any) -> Errors:
        if not isinstance(value, list):
            return "Expected array"
        return {str(at): wrong for at, row in enumerate(value) if (wrong := check(row))} or None

    return every


def record(required: Fields, optional: Fields | None = None) -> Check:
    """An object with these fields; others are let through, as Redo's schema lets them."""
    further = optional or {}

    def fields(value: Any) -> Errors:
        if not isinstance(value, dict):
            return "Expected object"
        errors: dict[str, Errors] = {}
        for field, check in required.items():
            wrong = check(value[field]) if field in value else "Required"
            if wrong:
                errors[field] = wrong
        for field, check in further.items():
            if field in value and (wrong := check(value[field])):
                errors[field] = wrong
        return errors or None

    return fields


_MONEY: Final = record({"amount": amount, "currencyCode": currency})
_MONEY_SET: Final = record({"presentmentMoney": _MONEY, "shopMoney": _MONEY})


def money_set(value: Any) -> Errors:
    """An amount in both currencies. Most of an order is money sets, so valid ones take a short cut."""
    try:
        for money in (value["presentmentMoney"], value["shopMoney"]):
            if not (_AMOUNT.fullmatch(money["amount"]) and _CODE.fullmatch(money["currencyCode"])):
                break
        else:
            return None
    except (TypeError, KeyError):
        pass
    return _MONEY_SET(value)


def put(errors: dict[str, Errors], path: tuple[str | int, ...], message: str) -> None:
    """Add a message at a place, unless something is wrong there or above already."""
    level = errors
    for step in path[:-1]:
        below = level.setdefault(str(step), {})
        if not isinstance(below, dict):
            return
        level = below
    level.setdefault(str(path[-1]), message)
