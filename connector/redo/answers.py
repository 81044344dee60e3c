"""What Redo's answers mean: status and body to Outcome, without I/O.

One table says what each answer, and each way to get none, means. What to do about it is the pipeline's business.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connector.model.orders import Outcome, OutcomeKind, Violation
from connector.redo.redaction import FIELDS, Words

MOST_VIOLATIONS: Final = 50
DEEPEST: Final = 20
"""Levels of `errors`: the contract has five."""
LONGEST_ID: Final = 256
"""Characters of a redoId; documented ones are far shorter."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer says (`statuses`), or that there was none. `reason`: short, fit for a metric label; `{status}`
    stands for the number. `sentence` is for the operator: what happened, and where to look."""

    kind: OutcomeKind
    reason: str
    sentence: str
    statuses: tuple[int, ...] = ()


_HTTP: Final = "http_{status}"
MEANINGS: Final = (
    Meaning(OutcomeKind.ACCEPTED, _HTTP, "Redo took the order", (200,)),
    Meaning(
        OutcomeKind.UNKNOWN,
        "bad_answer",
        "a success without the body that Redo documents: check that redo.base_url is Redo's, and the proxy",
        tuple(range(201, 300)),
    ),
    Meaning(
        OutcomeKind.REJECTED, _HTTP, "Redo does not take this order as it is: mend its data or the mapping", (400, 422)
    ),
    Meaning(OutcomeKind.REJECTED, _HTTP, "the order is larger than Redo takes: leave out what it doesn't need", (413,)),
    Meaning(OutcomeKind.REFUSED, _HTTP, "Redo does not know the API secret: check redo.api_secret", (401,)),
    Meaning(
        OutcomeKind.REFUSED,
        _HTTP,
        "the API secret has no right to this store or lacks a scope (orders_write to push, orders_read to read back): "
        "check redo.store_id and the secret's scopes",
        (403,),
    ),
    Meaning(
        OutcomeKind.REFUSED,
        _HTTP,
        "Redo knows no such store or endpoint: check redo.store_id and redo.base_url",
        (404,),
    ),
    Meaning(OutcomeKind.THROTTLED, _HTTP, "Redo asks for fewer requests: the pace adapts by itself", (429,)),
    Meaning(OutcomeKind.UNAVAILABLE, _HTTP, "Redo waited too long for the request: check the network", (408,)),
    Meaning(OutcomeKind.UNAVAILABLE, _HTTP, "Redo fails: look at its status page if it lasts", tuple(range(500, 600))),
    Meaning(
        OutcomeKind.REFUSED,
        "tls",
        "Redo's certificate or TLS settings are not to be trusted: check redo.base_url, the machine's certificates and "
        "clock, and the proxy",
    ),
    Meaning(
        OutcomeKind.REFUSED,
        "dns",
        "the host of Redo's address, or the proxy's, is not known: check redo.base_url, HTTPS_PROXY and DNS",
    ),
    Meaning(OutcomeKind.UNAVAILABLE, "dns_temporary", "the name server does not answer: check DNS if it lasts"),
    Meaning(OutcomeKind.UNAVAILABLE, "connect", "Redo was not reached: check network, firewall and proxy"),
    Meaning(
        OutcomeKind.UNAVAILABLE, "connect_timeout", "Redo was not reached in time: check network, firewall and proxy"
    ),
    Meaning(OutcomeKind.UNAVAILABLE, "pool_timeout", "no connection was free: check the network if it lasts"),
    Meaning(
        OutcomeKind.UNAVAILABLE,
        "proxy",
        "the proxy did not let the request through: check HTTPS_PROXY and NO_PROXY",
    ),
    Meaning(
        OutcomeKind.UNKNOWN,
        "protocol",
        "the exchange broke HTTP's rules, and Redo may have taken the order: check redo.base_url and the proxy",
    ),
    Meaning(
        OutcomeKind.UNKNOWN,
        "timeout",
        "the request was sent, but its answer did not arrive in time: look at Redo's status page if it lasts",
    ),
    Meaning(
        OutcomeKind.UNKNOWN,
        "cut",
        "the request was sent, but the connection was cut before its answer arrived: check the network if it lasts",
    ),
    Meaning(
        OutcomeKind.REJECTED,
        "no_store",
        "there is no secret for this order's store: add [redo.stores.<id>] with its api_secret",
    ),
    Meaning(
        OutcomeKind.REJECTED,
        "no_address",
        "an order with this id, or at this endpoint, has no address at Redo: check the id and redo.orders_url",
    ),
    Meaning(OutcomeKind.ACCEPTED, "absent", "Redo has no such order: nothing is left to do"),
)
"""Every documented status, then all that keeps a request from its answer."""
UNDOCUMENTED: Final = Meaning(
    OutcomeKind.UNAVAILABLE, _HTTP, "not an answer that Redo documents: check redo.base_url and the proxy"
)
"""Any other status: tried again and reported, never dropped."""

_BY_STATUS: Final = {status: row for row in MEANINGS for status in row.statuses}
_BY_REASON: Final = {row.reason: row for row in MEANINGS if row.reason != _HTTP}


def meaning(status: int) -> Meaning:
    """What a status says."""
    return _BY_STATUS.get(status, UNDOCUMENTED)


def unanswered(reason: str, detail: str = "", status: int | None = None) -> Outcome:
    """The outcome of a row that is found by its reason. `detail` must hold nothing of a request."""
    row = _BY_REASON[reason]
    return Outcome(row.kind, status, reason, f"{row.sentence} ({detail})" if detail else row.sentence)


def pushed(status: int, headers: Mapping[str, str], body: bytes, order_id: str, words: Words) -> Outcome:
    """The answer to a push (`custom-order-sync-response`, `custom-order-error`, problem details)."""
    if status != 200:
        return failed(status, headers, body, words)
    answer = parsed(body)
    redo_id = answer.get("redoId")
    if answer.get("orderId") == order_id and isinstance(redo_id, str) and 0 < len(redo_id) <= LONGEST_ID:
        return Outcome(OutcomeKind.ACCEPTED, status, f"http_{status}", redo_id=redo_id)
    return strange(status)


def strange(status: int, detail: str = "") -> Outcome:
    """A success whose body isn't the contract's: something between us and Redo may have answered. `detail` must hold
    nothing of it."""
    row = _BY_REASON["bad_answer"]
    return Outcome(row.kind, status, row.reason, f"{status}: {row.sentence}" + (f" ({detail})" if detail else ""))


def failed(status: int, headers: Mapping[str, str], body: bytes, words: Words) -> Outcome:
    """Any answer that is not the documented success."""
    found = meaning(status)
    if found.kind is OutcomeKind.UNKNOWN:
        return strange(status)
    answer = parsed(body)
    said = words.safe(answer.get("error") or answer.get("detail") or answer.get("title"))
    parts = [f"{status}: {said}" if said else str(status), found.sentence]
    message = "; ".join(parts) if said else ": ".join(parts)
    if found.kind is OutcomeKind.REJECTED:
        violations = tuple(_flatten("", answer.get("errors"), words.order, words))[:MOST_VIOLATIONS]
        return Outcome(found.kind, status, f"http_{status}", message, None, violations)
    after = None if found.kind is OutcomeKind.REFUSED else retry_after(headers.get("retry-after"))
    return Outcome(found.kind, status, f"http_{status}", message, after)


def retry_after(value: str | None) -> float | None:
    """`Retry-After` in seconds from now, from either form (RFC 9110, 10.2.3); None when it can't be read."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; empty when it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _flatten(path: str, errors: Any, ours: Any, words: Words, depth: int = 0) -> Iterator[Violation]:
    """`errors` mirrors the body's structure; its leaves are messages or lists of messages. `ours` is what the order has
    at the path."""
    if isinstance(errors, str):
        yield Violation(path, words.safe(errors) or "is not accepted")
    elif depth == DEEPEST:
        return
    elif isinstance(errors, list):
        for at, below in enumerate(errors):
            here = path if isinstance(below, str) else f"{path}[{at}]"
            yield from _flatten(here, below, _at(ours, at), words, depth + 1)
    elif isinstance(errors, dict):
        for name, below in errors.items():
            here, value = _step(path, name, ours)
            yield from _flatten(here, below, value, words, depth + 1)


def _step(path: str, name: str, ours: Any) -> tuple[str, Any]:
    """A key may be a piece of data too: only the contract's fields and the lists' real indexes are shown."""
    if name == "_errors":
        return path, ours
    if isinstance(ours, list) and re.fullmatch(r"[0-9]{1,6}", name) and int(name) < len(ours):
        return f"{path}[{int(name)}]", ours[int(name)]
    shown = name if name in FIELDS else "?"
    return f"{path}.{shown}" if path else shown, ours.get(name) if isinstance(ours, dict) else None


def _at(ours: Any, at: int) -> Any:
    return ours[at] if isinstance(ours, list) and at < len(ours) else None
