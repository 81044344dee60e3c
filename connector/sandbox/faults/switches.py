"""The switches that make the sandbox fail: their names, types and values. What they do is in `injection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

METHODS: Final = ("POST", "DELETE", "GET")
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "rate_limit_kind": ("fixed", "sliding", "bucket"),
    "retry_after_form": ("seconds", "date", "none"),
    "wrong_body_kind": ("empty", "other_id"),
    "methods": METHODS,
    "fail_how": ("500", "503", "409", "403", "hang", "cut"),
}
_NUMBERS: Final = ("answer", "token_flips")
"""Lists of whole numbers; the other lists hold strings."""


@dataclass(slots=True)
class Switches:
    """How one store fails. Whole numbers named after a fault count the requests that it still hits.

    `answer` and all from `cut_before` to `drip` hit requests of `methods` only; faults after applying hit only requests
    that would have succeeded.
    """

    latency_ms: float = 0.0
    error_rate: float = 0.0
    """Share of requests (0 to 1) answered with 500 and not applied."""
    throttle: int = 0
    """Requests still answered with 429."""
    rate_limit: float | None = None
    """Requests in `rate_limit_seconds` above which 429 is answered, with the true time to wait as `Retry-After`."""
    rate_limit_kind: str = "fixed"
    """`fixed`: windows aligned to the clock; `sliding`: in any window; `bucket`: `burst` at once, then an even flow."""
    rate_limit_seconds: float = 1.0
    burst: int = 0
    """What a full bucket holds; 0: as many as `rate_limit`."""
    retry_after: int = 1
    """Seconds, sent with 503, and with each 429 that isn't the rate limit's."""
    retry_after_form: str = "seconds"
    """`seconds`, `date` (an HTTP date) or `none` (no such header)."""
    unauthorized: bool = False
    token_flips: list[int] = field(default_factory=list)
    """Numbers of requests that by turns get a 401 and are let through; each is counted down."""
    accept: list[str] = field(default_factory=list)
    """API secrets that are accepted instead of the store's own; empty: its own."""
    forbidden: bool = False
    outage: bool = False
    """503 for everything."""
    answer: list[int] = field(default_factory=list)
    """Status codes that the next requests get, in this order; of a success without a body."""
    answer_applies: bool = False
    """Requests answered from `answer` are carried out all the same."""
    methods: list[str] = field(default_factory=lambda: list(METHODS))
    """The requests that `answer` and the faults below hit."""
    cut_before: int = 0
    """Close the connection without applying or answering."""
    swallow: int = 0
    """Don't apply, stay silent for `hang_seconds` and close the connection."""
    html: int = 0
    """Don't apply, answer 200 with a web page."""
    late: int = 0
    """Apply and answer `late_seconds` after the request came, whether or not anyone still waits."""
    late_seconds: float = 1.0
    cut: int = 0
    """Apply, then close the connection without an answer."""
    cut_mid: int = 0
    """Apply, send the status and half of the answer's body, then close the connection."""
    reset: bool = False
    """Connections are closed by RST instead of FIN."""
    hang: int = 0
    """Apply, then stay silent for `hang_seconds` and close the connection."""
    hang_seconds: float = 3600.0
    wrong_body: int = 0
    """Apply, answer 200 with a body that the contract doesn't know."""
    wrong_body_kind: str = "empty"
    """`empty`, or `other_id`: the body names another order."""
    drip: int = 0
    """Apply, send the answer's body in small parts over `drip_seconds`."""
    drip_seconds: float = 1.0
    reject: list[str] = field(default_factory=list)
    """Order ids that get a 400."""
    fail: list[str] = field(default_factory=list)
    """Order ids that fail by `fail_how` and are not applied, each time, while others succeed."""
    fail_how: str = "500"
    """A status (`403` as a firewall says it, with a web page; `503` with `Retry-After`), `hang` (silent for
    `hang_seconds`) or `cut` (the connection is closed)."""

    def change(self, values: Mapping[str, Any]) -> str | None:
        """Set switches. Returns what is wrong with the first bad value, and then sets none; None when all are set."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in values.items():
            if name not in known:
                return f"unknown switch; known are {', '.join(sorted(known))}"
            if not _fits(name, value, known[name]):
                return f"{name} has another type"
            if not _allowed(name, value):
                return f"{name} is one of {', '.join(CHOICES[name])}"
        for name, value in values.items():
            setattr(self, name, list(value) if isinstance(value, list) else value)
        return None

    def spend(self, name: str) -> bool:
        """True when the fault hits this request; counts it down."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def flipped(self) -> bool:
        """True when `token_flips` refuses this request."""
        for at, left in enumerate(self.token_flips):
            if left > 0:
                self.token_flips[at] -= 1
                return at % 2 == 0
        return False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _fits(name: str, value: Any, present: Any) -> bool:
    if isinstance(present, bool):
        return isinstance(value, bool)
    if name == "rate_limit" and value is None:
        return True
    if isinstance(present, str):
        return isinstance(value, str)
    if isinstance(present, list):
        kind = int if name in _NUMBERS else str
        return isinstance(value, list) and all(_is(kind, each) and _fine(name, each) for each in value)
    wanted = int if type(present) is int else (int, float)
    return _is(wanted, value) and value >= 0


def _is(kind: type | tuple[type, ...], value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _fine(name: str, value: Any) -> bool:
    return (200 <= value <= 599) if name == "answer" else value >= 0 if name in _NUMBERS else True


def _allowed(name: str, value: Any) -> bool:
    choices = CHOICES.get(name)
    return choices is None or all(each in choices for each in (value if isinstance(value, list) else (value,)))
