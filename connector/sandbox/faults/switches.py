"""The switches that make the sandbox fail: their names, types and values. What they do is in `injection`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

METHODS: Final = ("POST", "DELETE", "GET")

Status = Annotated[int, Field(ge=200, le=599)]


class Switches(BaseModel):
    """How one store fails. Whole numbers named after a fault count the requests that it still hits.

    `answer` and all from `cut_before` to `drip` hit requests of `methods` only; faults after applying hit only requests
    that would have succeeded.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    latency_ms: NonNegativeFloat = 0.0
    error_rate: NonNegativeFloat = 0.0
    """Share of requests (0 to 1) answered with 500 and not applied."""
    throttle: NonNegativeInt = 0
    """Requests still answered with 429."""
    rate_limit: NonNegativeFloat | None = None
    """Requests in `rate_limit_seconds` above which 429 is answered, with the true time to wait as `Retry-After`."""
    rate_limit_kind: Literal["fixed", "sliding", "bucket"] = "fixed"
    """`fixed`: windows aligned to the clock; `sliding`: in any window; `bucket`: `burst` at once, then an even flow."""
    rate_limit_seconds: NonNegativeFloat = 1.0
    burst: NonNegativeInt = 0
    """What a full bucket holds; 0: as many as `rate_limit`."""
    retry_after: NonNegativeInt = 1
    """Seconds, sent with 503, and with each 429 that isn't the rate limit's."""
    retry_after_form: Literal["seconds", "date", "none"] = "seconds"
    """`seconds`, `date` (an HTTP date) or `none` (no such header)."""
    unauthorized: bool = False
    token_flips: list[NonNegativeInt] = []
    """Numbers of requests that by turns get a 401 and are let through; each is counted down."""
    accept: list[str] = []
    """API secrets that are accepted instead of the store's own; empty: its own."""
    forbidden: bool = False
    outage: bool = False
    """503 for everything."""
    answer: list[Status] = []
    """Status codes that the next requests get, in this order; of a success without a body."""
    answer_applies: bool = False
    """Requests answered from `answer` are carried out all the same."""
    methods: list[Literal["POST", "DELETE", "GET"]] = [*METHODS]
    """The requests that `answer` and the faults below hit."""
    cut_before: NonNegativeInt = 0
    """Close the connection without applying or answering."""
    swallow: NonNegativeInt = 0
    """Don't apply, stay silent for `hang_seconds` and close the connection."""
    html: NonNegativeInt = 0
    """Don't apply, answer 200 with a web page."""
    late: NonNegativeInt = 0
    """Apply and answer `late_seconds` after the request came, whether or not anyone still waits."""
    late_seconds: NonNegativeFloat = 1.0
    cut: NonNegativeInt = 0
    """Apply, then close the connection without an answer."""
    cut_mid: NonNegativeInt = 0
    """Apply, send the status and half of the answer's body, then close the connection."""
    reset: bool = False
    """Connections are closed by RST instead of FIN."""
    hang: NonNegativeInt = 0
    """Apply, then stay silent for `hang_seconds` and close the connection."""
    hang_seconds: NonNegativeFloat = 3600.0
    wrong_body: NonNegativeInt = 0
    """Apply, answer 200 with a body that the contract doesn't know."""
    wrong_body_kind: Literal["empty", "other_id"] = "empty"
    """`empty`, or `other_id`: the body names another order."""
    drip: NonNegativeInt = 0
    """Apply, send the answer's body in small parts over `drip_seconds`."""
    drip_seconds: NonNegativeFloat = 1.0
    reject: list[str] = []
    """Order ids that get a 400."""
    fail: list[str] = []
    """Order ids that fail by `fail_how` and are not applied, each time, while others succeed."""
    fail_how: Literal["500", "503", "409", "403", "hang", "cut"] = "500"
    """A status (`403` as a firewall says it, with a web page; `503` with `Retry-After`), `hang` (silent for
    `hang_seconds`) or `cut` (the connection is closed)."""

    def wrong(self, values: Mapping[str, Any]) -> str | None:
        """What is wrong with the first bad value, None when all can be set."""
        try:
            self._with(values)
        except ValidationError as error:
            first = error.errors()[0]
            return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return None

    def change(self, values: Mapping[str, Any]) -> str | None:
        """Set switches. Returns what is wrong with the first bad value, and then sets none; None when all are set."""
        if wrong := self.wrong(values):
            return wrong
        chosen = self._with(values)
        for name in values:
            setattr(self, name, getattr(chosen, name))
        return None

    def _with(self, values: Mapping[str, Any]) -> Switches:
        return Switches(**{**self.model_dump(), **values})

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
