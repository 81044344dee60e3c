"""What Redo's answers mean: HTTP status and body to Outcome, without I/O.

One table has the meaning of each status, and of each reason why there was no answer. What to do about it is the
pipeline's business.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from connector.model.orders import Outcome, OutcomeKind, Violation
from connector.redo.redaction import FIELDS, Redactor

MOST_VIOLATIONS: Final = 50
DEEPEST: Final = 20
"""Levels of `errors`: the contract has five."""
LONGEST_WAIT: Final = 1e9
"""Seconds that `Retry-After` can ask for; how long is waited at most is the pipeline's to say."""
LONGEST_ID: Final = 200
"""Characters of a redoId; documented ones are far shorter."""

_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?")


class Answer(NamedTuple):
    """An HTTP answer; the body decoded, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of the answers with these `statuses`, or of a reason for getting no answer. `reason` is a metric label, in which
    `{status}` stands for the number; `sentence` tells the operator what happened and where to look."""

    kind: OutcomeKind
    reason: str
    sentence: str
    statuses: tuple[int, ...] = ()


_HTTP: Final = "http_{status}"
_ANSWERED: Final = (
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
)
_UNANSWERED: Final[Mapping[OutcomeKind, Mapping[str, str]]] = {
    OutcomeKind.REFUSED: {
        "tls": "Redo's certificate or TLS settings are not to be trusted: check redo.base_url, the machine's "
        "certificates and clock, and the proxy",
        "dns": "the host of Redo's address, or the proxy's, is not known: check redo.base_url, HTTPS_PROXY and DNS",
    },
    OutcomeKind.UNAVAILABLE: {
        "dns_temporary": "the name server does not answer: check DNS if it lasts",
        "exhausted": "no socket is left, for this process or this machine: check the limit of open files (ulimit -n)",
        "connect": "Redo was not reached: check network, firewall and proxy",
        "connect_timeout": "Redo was not reached in time: check network, firewall and proxy",
        "pool_timeout": "no connection was free: check the network if it lasts",
        "proxy": "the proxy did not let the request through: check HTTPS_PROXY and NO_PROXY",
    },
    OutcomeKind.UNKNOWN: {
        "protocol": "the exchange broke HTTP's rules, and Redo may have taken the order: check redo.base_url and the "
        "proxy",
        "timeout": "the request was sent, but its answer did not arrive in time: look at Redo's status page if it "
        "lasts",
        "cut": "the request was sent, but the connection was cut before its answer arrived: check the network if it "
        "lasts",
    },
    OutcomeKind.REJECTED: {
        "no_store": "there is no secret for this order's store: add [redo.stores.<id>] with its api_secret",
        "no_address": "an order with this id, or at this endpoint, has no address at Redo: check the id and "
        "redo.orders_url",
    },
    OutcomeKind.ACCEPTED: {"absent": "Redo has no such order: nothing is left to do"},
}
MEANINGS: Final = (
    *_ANSWERED,
    *(Meaning(kind, reason, sentence) for kind, rows in _UNANSWERED.items() for reason, sentence in rows.items()),
)
"""Every documented status, then every reason for getting no answer."""
UNDOCUMENTED: Final = Meaning(
    OutcomeKind.UNAVAILABLE, _HTTP, "not an answer that Redo documents: check redo.base_url and the proxy"
)
"""Of any other status."""

_BY_STATUS: Final = {status: row for row in MEANINGS for status in row.statuses}
_BY_REASON: Final = {row.reason: row for row in MEANINGS if row.reason != _HTTP}


def meaning(status: int) -> Meaning:
    """Of a status, whatever its body."""
    return _BY_STATUS.get(status, UNDOCUMENTED)


def unanswered(reason: str, detail: str = "", status: int | None = None) -> Outcome:
    """The outcome of a request without a (usable) answer, by its reason. `detail` must hold nothing of the request."""
    row = _BY_REASON[reason]
    return Outcome(row.kind, status, reason, f"{row.sentence} ({detail})" if detail else row.sentence)


def pushed(answer: Answer, order_id: str, redactor: Redactor) -> Outcome:
    """Of a push (`custom-order-sync-response`, `custom-order-error`, problem details). A redoId that is no identifier
    isn't kept: nothing depends on it, and the order was taken."""
    if answer.status != 200:
        return failed(answer, redactor)
    body = _json_object(answer.body)
    redo_id = body.get("redoId")
    if body.get("orderId") == order_id and isinstance(redo_id, str) and redo_id:
        kept = redo_id if len(redo_id) <= LONGEST_ID and redo_id.isprintable() else None
        return Outcome(OutcomeKind.ACCEPTED, 200, "http_200", redo_id=kept)
    return unexpected(200)


def deleted(answer: Answer) -> Outcome:
    """Of a delete (`orders-api-delete-order-response`)."""
    if answer.status != 200:
        return _absent_or_failed(answer)
    if _json_object(answer.body).get("success") is not True:
        return unexpected(200)
    return Outcome(OutcomeKind.ACCEPTED, 200, "http_200")


@dataclass(frozen=True, slots=True)
class ReadBack:
    """An order as Redo shows it. `order` is None when it couldn't be read, and when Redo has none: then the outcome is
    ACCEPTED with reason `absent`."""

    outcome: Outcome
    order: Mapping[str, Any] | None = None


def read_back(answer: Answer) -> ReadBack:
    """Of a read (`orders-api-get-order-response`)."""
    if answer.status != 200:
        return ReadBack(_absent_or_failed(answer))
    order = _json(answer.body, parse_float=Decimal)
    if not isinstance(order, dict):
        return ReadBack(unexpected(200))
    return ReadBack(Outcome(OutcomeKind.ACCEPTED, 200, "http_200"), order)


def _absent_or_failed(answer: Answer) -> Outcome:
    if answer.status == 404 and isinstance(_json_object(answer.body).get("error"), str):
        return unanswered("absent", status=404)
    # Redo may quote an older version of the order, which can't be masked: none of its messages is kept.
    return failed(answer, Redactor(None, ()))


def unexpected(status: int, detail: str = "") -> Outcome:
    """A success whose body isn't the documented one: something between us and Redo may have answered. `detail` must
    hold nothing of the body."""
    row = _BY_REASON["bad_answer"]
    return Outcome(row.kind, status, row.reason, f"{status}: {row.sentence}" + (f" ({detail})" if detail else ""))


def failed(answer: Answer, redactor: Redactor) -> Outcome:
    """Of any answer but the documented success."""
    status, found = answer.status, meaning(answer.status)
    if found.kind is OutcomeKind.UNKNOWN:
        return unexpected(status)
    body = _json_object(answer.body)
    said = redactor.redact(body.get("error") or body.get("detail") or body.get("title"))
    message = f"{status}: {said}; {found.sentence}" if said else f"{status}: {found.sentence}"
    if found.kind is OutcomeKind.REJECTED:
        found_wrong = _flatten("", body.get("errors"), redactor.order, redactor)
        violations = tuple(islice(found_wrong, MOST_VIOLATIONS))
        return Outcome(found.kind, status, f"http_{status}", message, None, violations)
    after = None if found.kind is OutcomeKind.REFUSED else retry_after(answer.headers)
    return Outcome(found.kind, status, f"http_{status}", message, after)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds from now, from either form (RFC 9110, 10.2.3), with a fraction, too; None when it can't
    be read. A date counts from the answer's own `Date`, so that our clock may be wrong."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_WAIT)
    until, now = _moment(value), _moment(headers.get("date", ""))
    if until is None:
        return None
    return min(max(0.0, until - (time.time() if now is None else now)), LONGEST_WAIT)


def _moment(date: str) -> float | None:
    """Seconds since 1970; None for what is no HTTP date."""
    try:
        found = parsedate_to_datetime(date)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _json(body: bytes, **options: Any) -> Any:
    """None for what isn't JSON."""
    try:
        return json.loads(body, **options)
    except (ValueError, RecursionError):
        return None


def _json_object(body: bytes) -> Mapping[str, Any]:
    """Empty for anything else."""
    found = _json(body)
    return found if isinstance(found, dict) else {}


def _flatten(path: str, errors: Any, ours: Any, redactor: Redactor, depth: int = 0) -> Iterator[Violation]:
    """`errors` has the structure of the request's body; its leaves are messages or lists of messages. `ours`: the
    order's value at the path."""
    if isinstance(errors, str):
        yield Violation(path, redactor.redact(errors) or "is not accepted")
    elif depth == DEEPEST:
        return
    elif isinstance(errors, list):
        for at, below in enumerate(errors):
            here = path if isinstance(below, str) else f"{path}[{at}]"
            yield from _flatten(here, below, _at(ours, at), redactor, depth + 1)
    elif isinstance(errors, dict):
        for name, below in errors.items():
            here, value = _step(path, name, ours)
            yield from _flatten(here, below, value, redactor, depth + 1)


def _step(path: str, name: str, ours: Any) -> tuple[str, Any]:
    """The path one level down, and the order's value there. Any other key than a field of the contract or an index of
    the order's list may be customer data: it shows as `?`."""
    if name == "_errors":
        return path, ours
    if isinstance(ours, list) and re.fullmatch(r"[0-9]{1,6}", name) and int(name) < len(ours):
        return f"{path}[{int(name)}]", ours[int(name)]
    shown = name if name in FIELDS else "?"
    return f"{path}.{shown}" if path else shown, ours.get(name) if isinstance(ours, dict) else None


def _at(ours: Any, at: int) -> Any:
    return ours[at] if isinstance(ours, list) and at < len(ours) else None
