"""What Redo's answers mean: status and body to Outcome, without I/O.

Redo's words may quote our values, and outcomes end up in logs: a message is kept only when it repeats nothing of the
order. What to do about an outcome is the pipeline's business.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connector.orders import Outcome, OutcomeKind, Violation

LONGEST_MESSAGE: Final = 300
MOST_VIOLATIONS: Final = 50
QUOTED: Final = 3
"""From how many characters on a value of ours counts as quoted."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer says. `sentence` is for the operator: what happened, and where to look."""

    kind: OutcomeKind
    sentence: str
    statuses: tuple[int, ...] = ()


MEANINGS: Final = (
    Meaning(OutcomeKind.ACCEPTED, "Redo took the order", tuple(range(200, 300))),
    Meaning(OutcomeKind.REJECTED, "Redo does not take this order as it is: mend its data or the mapping", (400, 422)),
    Meaning(OutcomeKind.REJECTED, "the order is larger than Redo takes: leave out what it doesn't need", (413,)),
    Meaning(OutcomeKind.REFUSED, "Redo does not know the API secret: check redo.api_secret", (401,)),
    Meaning(
        OutcomeKind.REFUSED,
        "the API secret has no right to this store or lacks a scope (orders_write to push): check redo.store_id",
        (403,),
    ),
    Meaning(OutcomeKind.REFUSED, "Redo knows no such store or endpoint: check redo.store_id and redo.base_url", (404,)),
    Meaning(OutcomeKind.THROTTLED, "Redo asks for fewer requests: the pace adapts by itself", (429,)),
    Meaning(OutcomeKind.UNAVAILABLE, "Redo waited too long for the request: check the network", (408,)),
    Meaning(OutcomeKind.UNAVAILABLE, "Redo fails: look at its status page if it lasts", tuple(range(500, 600))),
)
"""Every documented status of a push. With a body that isn't the contract's, a success is UNKNOWN (`strange`)."""
UNDOCUMENTED: Final = Meaning(OutcomeKind.UNAVAILABLE, "not an answer that Redo documents: check redo.base_url")
"""Any other status: tried again and reported, never dropped."""

_BY_STATUS: Final = {status: meaning for meaning in MEANINGS for status in meaning.statuses}

TROUBLES: Final[Mapping[str, str]] = {
    "tls": "Redo's certificate or TLS settings are not to be trusted: check redo.base_url, the machine's certificates "
    "and clock, and the proxy",
    "dns": "the host of Redo's address is not known: check redo.base_url and DNS",
    "dns_temporary": "the name server does not answer: check DNS if it lasts",
    "connect_timeout": "Redo was not reached in time: check network, firewall and proxy",
    "connect": "Redo was not reached: check network, firewall and proxy",
    "pool_timeout": "no connection was free: check the network if it lasts",
    "proxy": "the proxy did not let the request through: check HTTPS_PROXY and NO_PROXY",
    "protocol": "the exchange broke HTTP's rules: check redo.base_url and the proxy",
    "timeout": "the request was sent, but its answer did not arrive in time",
    "cut": "the request was sent, but the connection was cut before its answer arrived",
}
"""Requests without an answer, by reason: a sentence each. What may have been sent is UNKNOWN (`timeout`, `cut`)."""


def meaning(status: int) -> Meaning:
    """What a status says."""
    return _BY_STATUS.get(status, UNDOCUMENTED)


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
    found = meaning(status)
    violations: tuple[Violation, ...] = ()
    if found.kind is OutcomeKind.REJECTED:
        violations = tuple(_flatten("", answer.get("errors"), words))[:MOST_VIOLATIONS]
    if found.kind in (OutcomeKind.REJECTED, OutcomeKind.REFUSED):
        after = None
    said_is_enough = bool(said) and found.kind is OutcomeKind.REJECTED
    return Outcome(
        found.kind, status, reason, _say(status, said, "" if said_is_enough else found.sentence), after, violations
    )


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
