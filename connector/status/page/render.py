"""Facts and stories to HTML, by the templates beside it. It must not know HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from connector.model.changes import format_lsn
from connector.pipeline.ports.records import FAILING, LetterGroup
from connector.status import headline
from connector.status.attention import Card, attention
from connector.status.facts import SLOW, Facts, State, duration
from connector.status.last_hour import Event, Minute
from connector.status.order_story import OrderStory, order_path
from connector.status.page import charts, stations
from connector.status.ports import RequestStatus

_COMMAND: Final = 40
"""Characters of a command with its arguments."""


def _prose(text: str) -> Markup:
    """A sentence of ours, with what stands between backticks as code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return Markup("").join(_code(one) if at % 2 else one for at, one in enumerate(pieces))


def _code(text: str) -> Markup:
    """A command stays on one line; what is longer doesn't fit a narrow window."""
    opening = Markup('<code class="whole">') if len(text) <= _COMMAND else Markup("<code>")
    return Markup("{}{}</code>").format(opening, text)


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("connector.status.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "clock": headline.clock,
    "duration": duration,
    "hour": headline.hour,
    "lsn": format_lsn,
    "number": lambda value: f"{value:,}",
    "path": order_path,
    "prose": _prose,
    "seconds": lambda value: f"{value:,.2f} s" if value < 10 else duration(value),
}
PARTS: Final = (
    "headline",
    "lag",
    "attention",
    "asked",
    "road",
    "charts",
    "events",
    "steer",
    "warnings",
    "beside",
    "recent",
)
"""What is sent anew as it changes; each is a macro of parts.html and an element's id on the page."""

ORDER_PARTS: Final = ("verdict", "look", "asked", "changes", "checkpoint", "attempts")
"""The same for an order's page, of order_parts.html."""

EVENTS: Final = 8
"""The latest ones, so many are shown."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """`acts`: whether anybody may act here; `seal`: what the forms of this visitor carry, None when not signed in."""

    acts: bool = False
    seal: str | None = None


def parts(facts: Facts, visitor: Visitor, asked: RequestStatus | None) -> dict[str, str]:
    """Every part's HTML, and the document's `title`."""
    view = {
        "facts": facts,
        "headline": headline.headline(facts),
        "tone": headline.tone(facts),
        "lag": _lag(facts),
        "cards": [(card, *_groups(facts, card)) for card in attention(facts)],
        "charts": _charts(facts.minutes),
        "events": [(*_when(event, facts.now), event) for event in facts.events[:EVENTS]],
        "stations": stations.stations(facts),
        "beside": list(stations.details(facts)),
        "asked": asked,
        "paused_by_hand": facts.paused_reason == headline.BY_HAND,
        "visitor": visitor,
    }
    module: Any = _ENVIRONMENT.get_template("parts.html").module
    found = {name: str(getattr(module, name)(view)).strip() for name in PARTS}
    return {"title": f"{view['headline']} · redo-connector", **found}


@lru_cache(maxsize=2)
def _charts(minutes: tuple[Minute, ...]) -> Markup:
    """Of the last hour. Whoever looks at the page in the same second sees the same."""
    module: Any = _ENVIRONMENT.get_template("parts.html").module
    return Markup(module.bars(charts.last_hour(minutes)))  # noqa: S704 -- a template's


def _lag(facts: Facts) -> tuple[str, str, str] | None:
    """None at a standby: the leader knows it."""
    if facts.state is State.STANDBY:
        return None
    kept_back, filling = bool(facts.held_orders or facts.tally.dead_letters), facts.state is State.BACKFILLING
    return headline.lag(facts.sync_lag_seconds, kept_back=kept_back, filling=filling)


def _groups(facts: Facts, card: Card) -> tuple[list[LetterGroup], int]:
    """The groups of dead letters that a card is about, and how many orders are in further ones."""
    reasons = {card.kind: facts.tally.dead_letters.get(card.kind, 0)} if card.kind in (FAILING, SLOW) else {}
    if card.kind == "refused":
        reasons = dict(facts.refused)
    found = [group for group in facts.dead_letter_groups if group.reason in reasons]
    return found, max(0, sum(reasons.values()) - sum(group.orders for group in found)) if found else 0


def _when(event: Event, now: float) -> tuple[str, str]:
    """When it was, and for how long: `03:18 to 03:21 UTC`, `3 min`."""
    if event.open:
        lasted = f"for {duration(now - event.at)}, going on"
    else:
        lasted = "" if event.until is None else duration(event.until - event.at)
    return headline.span(event.at, event.until, now), lasted


def status(facts: Facts, visitor: Visitor, asked: RequestStatus | None) -> str:
    """The whole page."""
    return _render("status.html", visitor, parts=parts(facts, visitor, asked), facts=facts, asked=asked)


def order_parts(story: OrderStory, asked: RequestStatus | None) -> dict[str, str]:
    """The parts of an order's page that need no look at the OMS."""
    module: Any = _ENVIRONMENT.get_template("order_parts.html").module
    return {name: str(getattr(module, name)({"story": story, "asked": asked})).strip() for name in ORDER_PARTS}


def order(story: OrderStory, visitor: Visitor, asked: RequestStatus | None, *, show_values: bool) -> str:
    """The page of one order."""
    look = {"look": story.looked or "", "at": story.as_of, "verdict": story.projection.verdict}
    events = "/events" + order_path(story.key, **look, **({} if asked is None else {"asked": asked.number}))
    parts = order_parts(story, asked)
    return _render("order.html", visitor, story=story, parts=parts, events=events, show_values=show_values)


def sign_in(visitor: Visitor, problem: str, then: str) -> str:
    """The form that asks for the token; `then`: the path to go on to."""
    return _render("sign_in.html", visitor, problem=problem, then=then)


def sentence(title: str, text: str) -> str:
    """A page that says one thing."""
    return _render("sentence.html", Visitor(), title=title, text=text)


def _render(name: str, visitor: Visitor, **values: Any) -> str:
    return _ENVIRONMENT.get_template(name).render(visitor=visitor, **values)
