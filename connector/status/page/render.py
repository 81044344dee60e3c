"""Facts and stories to HTML, by the templates beside it. It must not know HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from connector.model.changes import format_lsn
from connector.status.facts import Facts, duration, explained
from connector.status.order_story import OrderStory, order_path
from connector.status.page import headline, stations
from connector.status.ports import RequestStatus


def _prose(text: str) -> Markup:
    """A sentence of ours, with what stands between backticks as code."""
    pieces = [escape(piece) for piece in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(one) if at % 2 else one for at, one in enumerate(pieces))


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
    "lsn": format_lsn,
    "number": lambda value: f"{value:,}",
    "path": order_path,
    "prose": _prose,
    "seconds": lambda value: f"{value:,.2f} s" if value < 10 else duration(value),
}
PARTS: Final = ("headline", "said", "road", "beside", "asked", "steer", "waits", "recent")
"""What is sent anew as it changes; each is a macro of parts.html and an element's id on the page."""

ORDER_PARTS: Final = ("verdict", "look", "asked", "changes", "checkpoint", "attempts")
"""The same for an order's page, of order_parts.html."""


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
        "tone": stations.tone(facts),
        "sync_lag": stations.sync_lag(facts),
        "explained": explained(facts),
        "next": facts.next_step.rstrip("."),
        "stations": stations.stations(facts),
        "beside": list(stations.details(facts)),
        "asked": asked,
        "paused_by_hand": facts.paused_reason == "by_hand",
        "visitor": visitor,
    }
    module: Any = _ENVIRONMENT.get_template("parts.html").module
    found = {name: str(getattr(module, name)(view)).strip() for name in PARTS}
    return {"title": f"{view['headline']} · redo-connector", **found}


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
