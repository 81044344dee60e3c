"""What Redo's answers mean: status and body to Outcome, without I/O.

Redo's words may quote our values, and outcomes end up in logs: a message is kept only when it repeats nothing of the
order. What to do about an outcome is the pipeline's business.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connector.orders import Outcome, OutcomeKind, Violation

LONGEST_MESSAGE: Final = 300
MOST_VIOLATIONS: Final = 50
QUOTED: Final = 3
"""From how many characters on a value of ours counts as quoted."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_HINTS: Final[Mapping[int, str]] = {
    401: "Redo does not know the API secret: check redo.api_secret",
    403: "the API secret has no right to this store or lacks a scope (orders_write to push): check redo.store_id",
    404: "Redo knows no such store or endpoint: check redo.store_id and redo.base_url",
}


def pushed(status: int, headers: Mapping[str, str], body: bytes, order_id: str, words: Words) -> Outcome:
    """The answer to a push (`custom-order-sync-response`, `custom-order-error`, problem details)."""
    if not 200 <= status < 300:
        return failed(status, headers, body, words)
    answer = _object(body)
    redo_id = answer.get("redoId")
    if answer.get("orderId") == order_id and isinstance(redo_id, str):
        return Outcome(OutcomeKind.ACCEPTED, status, f"http_{status}", redo_id=redo_id)
    return strange(status)


def strange(status: int) -> Outcome:
    """A success whose body isn't the contract's: something between us and Redo may have answered."""
    message = f"{status} without the body that Redo documents: check that redo.base_url is Redo's"
    return Outcome(OutcomeKind.UNKNOWN, status, "bad_answer", message)


def failed(status: int, headers: Mapping[str, str], body: bytes, words: Words) -> Outcome:
    """Any answer that is not a success."""
    answer = _object(body)
    said = words.safe(answer.get("error") or answer.get("detail") or answer.get("title"))
    reason, after = f"http_{status}", retry_after(headers.get("retry-after"))
    if status in (400, 413, 422):
        found = tuple(_flatten("", answer.get("errors"), words))[:MOST_VIOLATIONS]
        return Outcome(OutcomeKind.REJECTED, status, reason, _say(status, said), None, found)
    if status in _HINTS:
        return Outcome(OutcomeKind.REFUSED, status, reason, _say(status, said, _HINTS[status]))
    if status == 429:
        return Outcome(OutcomeKind.THROTTLED, status, reason, _say(status, said), after)
    hint = "" if status == 408 or status >= 500 else "not an answer that Redo documents: check redo.base_url"
    return Outcome(OutcomeKind.UNAVAILABLE, status, reason, _say(status, said, hint), after)


def retry_after(value: str | None) -> float | None:
    """`Retry-After` in seconds from now, from either form (RFC 9110, 10.2.3); None when it can't be read."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


class Words:
    """Tells whether Redo's words repeat a value of ours: of the order (its body), or the secret."""

    def __init__(self, body: bytes, secrets: Sequence[str]) -> None:
        self._body = body
        self._secrets = secrets

    def safe(self, message: object) -> str:
        """The message on one line, bounded; empty when there is none; a stand-in when it quotes us."""
        if not isinstance(message, str) or not message.strip():
            return ""
        folded = message.casefold()
        if any(value in folded for value in self._values()):
            return "(Redo's message is left out: it quotes the order)"
        return "".join(sign if sign.isprintable() else " " for sign in message)[:LONGEST_MESSAGE]

    def _values(self) -> Iterator[str]:
        yield from (secret.casefold() for secret in self._secrets)
        order = json.loads(self._body, parse_int=str, parse_float=str) if self._body else {}
        if isinstance(order, dict):
            order.pop("type", None)
        yield from (text.casefold() for text in _texts(order) if len(text) >= QUOTED)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _flatten(path: str, errors: Any, words: Words) -> Iterator[Violation]:
    """`errors` mirrors the body's structure; its leaves are messages or lists of messages."""
    if isinstance(errors, str):
        yield Violation(path, words.safe(errors) or "is not accepted")
    elif isinstance(errors, list):
        for at, below in enumerate(errors):
            yield from _flatten(path if isinstance(below, str) else f"{path}[{at}]", below, words)
    elif isinstance(errors, dict):
        for name, below in errors.items():
            yield from _flatten(_step(path, name), below, words)


def _step(path: str, name: str) -> str:
    if name == "_errors":
        return path
    if name.isascii() and name.isdigit():
        return f"{path}[{name}]"
    return (f"{path}." if path else "") + (name if _NAME.fullmatch(name) else "?")


def _say(status: int, said: str, hint: str = "") -> str:
    return f"{status}" + (f": {said}" if said else "") + (f"; {hint}" if hint else "")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
