"""`status`: a screenful. The verdict, the lag, what waits, what to do next, and what happened lately. With --watch
again and again: a view on a terminal, elsewhere a line per new state.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from connector.cli.report.console import FAILING, UNWRAPPED, clock, console, counted
from connector.status.facts import SLOW, State, duration, size
from connector.status.headline import lag, moment, seen, span

EVERY: Final = 1.0
"""Seconds between two looks."""
LINES: Final = 23
"""A terminal of 24 without its prompt."""
EVENTS, LEAST_EVENTS = 5, 2
"""Of the latest events, so many are shown, and fewer where there is no room."""
_STYLES: Final = {"good": "green", "busy": "yellow", "bad": "red"}
HELD: Final = "held"
"""The state of a hold that waits for a person."""
_WIDE: Final = 10
"""Characters of the widest name of a row."""

Found = Mapping[str, Any]
"""What `/api/status` answered, or what the store remembers."""


def status_view(found: Found) -> Group:
    """On a terminal, of 80 columns too, no line wraps and LINES are enough; into a pipe every line goes out whole."""
    width = console().width
    top, cards = (
        [_headline(found), Text(), *_rows(found)],
        [card for card in found.get("attention", ()) if card["next"]],
    )
    if not found["running"]:
        top += [Text(), *_wrapped(f"Next: {found['next']}", width, "")]
        waits = [line for one in waiting_for_a_person(found) for line in _wrapped(one.plain, width, "", str(one.style))]
        top += [Text(), *waits[: LINES - len(top) - 1]] if waits else []
    events = event_lines(found, EVENTS)
    room = LINES - len(top) - 1 - min(len(events), LEAST_EVENTS)
    middle = _cards(cards, width, room)
    events = events if width == UNWRAPPED else events[: max(0, LINES - len(top) - len(middle) - 1)]
    bottom = [Text(), *events] if events else []
    return Group(*(_fitted(line, width) for line in (*top, *middle, *bottom)))


def _cards(cards: Sequence[Found], width: int, room: int) -> list[Text]:
    """As much of them as there is room for."""
    if not cards:
        return []
    whole = [Text(), *(line for card in cards for line in card_lines(card, width))]
    if width == UNWRAPPED or len(whole) <= room:
        return whole
    short = [Text(), *(line for card in cards for line in card_lines(card, width, lines=1))]
    if len(short) <= room:
        return short
    fit = (room - 2) // 2
    more = Text(f"  and {len(cards) - fit} more: `redo-connector status --all`", "dim")
    return [*short[: 1 + 2 * fit], more]


def _headline(found: Found) -> Text:
    return Text(found.get("headline") or found["verdict"], f"bold {_STYLES[found.get('tone', 'bad')]}")


def waiting_for_a_person(found: Found) -> list[Text]:
    """Each hold with the command that shows and releases it, and what orders were refused for."""
    lines = []
    for hold in found.get("holds", ()):
        if hold.get("state", HELD) == HELD:
            cause = f" ({hold['cause']})" if hold.get("cause") else ""
            advice = f"`redo-connector approve {hold['number']}` shows them and lets them go"
            lines.append(Text(f"held: {counted(hold['orders'])}{cause}; {advice}", "yellow"))
    for group in found.get("dead_letter_groups", ()):
        what = f"refused: {counted(group['orders'])}, {group['reason']}"
        if group["reason"] == FAILING:
            what = f"fails again and again, and is tried again: {counted(group['orders'])}"
        lines.append(Text(f"{what}: {group['cause']} (group {group['group']})", "red"))
    return lines


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _rows(found: Found) -> Iterator[Text]:
    for name, words in _named(found):
        yield Text.assemble((f"  {name:<{_WIDE}}  ", "dim"), words)


def _named(found: Found) -> Iterator[tuple[str, str | Text]]:
    letters = dict(found.get("dead_letters", {}))
    failing, slow = letters.pop(FAILING, 0), letters.pop(SLOW, 0)
    if "affected" in found:
        yield "lag", _lag(found)
        yield "waiting", _waiting(found, failing)
        yield "held", _or_none(_held(found["holds"]), "order", "yellow", known=found.get("counted", True))
        yield "refused", _refused(sum(letters.values()), failing, slow, known=found.get("counted", True))
    if found["running"] and "in_flight" not in found:
        yield from _standby(found)
    elif found["running"]:
        yield "delivery", _delivery(found)
        yield "source", _source(found)
        if (progress := _progress(found)) is not None:
            yield progress
    elif "affected" in found:
        yield "accepted", counted(found["checkpoints"] - found["missing"])


def _standby(found: Found) -> Iterator[tuple[str, str | Text]]:
    leader, now = found["leader"], found["now"]
    if leader is None:
        yield "leader", Text("none at the moment", "yellow")
    else:
        words = f"{leader['instance']} since {moment(leader['since'], now)} UTC, seen {seen(leader['seen_at'], now)}"
        yield "leader", words
        if leader["page"]:
            yield "its page", leader["page"]
    yield "takeover", Text("ready" if found["fit_to_lead"] else "not ready", "" if found["fit_to_lead"] else "red")


def _lag(found: Found) -> Text:
    kept_back = bool(_held(found["holds"]) or any(found["dead_letters"].values()))
    filling = found.get("state") == State.BACKFILLING
    figure, meaning, tone = lag(found["sync_lag_seconds"], kept_back=kept_back, filling=filling)
    return Text.assemble((figure, "" if tone == "good" else _STYLES[tone]), f", {meaning}")


def _waiting(found: Found, failing: int) -> str:
    waiting = max(0, found["affected"] + found["lookups"] - failing)
    if not waiting:
        return "none" if found.get("counted", True) else "unknown"
    age = found.get("oldest_affected_age_seconds")
    return counted(waiting, "change") + (f", the oldest for {duration(age)}" if age is not None else "")


def _held(holds: Sequence[Found]) -> int:
    return sum(hold["orders"] for hold in holds if hold.get("state", HELD) == HELD)


def _or_none(number: int, noun: str, style: str, *, known: bool) -> Text:
    return Text(counted(number, noun), style) if number else Text("none" if known else "unknown")


def _refused(refused: int, failing: int, slow: int, *, known: bool) -> Text:
    words = _or_none(refused, "order", "red", known=known)
    for number, more in ((failing, "failing again and again"), (slow, "too slow to be read")):
        if number:
            words.append(f"; {number:,} {more}", "yellow")
    return words


def _delivery(found: Found) -> str:
    accepted, last = found["accepted_per_minute"], found["last_accepted_at"]
    words = "unknown" if accepted is None else f"{accepted:,} in the last minute"
    words += f", {found['in_flight']:,} in flight"
    return words + (f", last accepted {duration(found['now'] - last)} ago" if last is not None else "")


def _source(found: Found) -> Text:
    kept, left, seconds = (
        found[name] for name in ("slot_retained_bytes", "slot_limit_left_bytes", "slot_seconds_to_limit")
    )
    words = Text("connected") if found["connected"] else Text("not connected", "red")
    if found["connected"] and found["replication_lag_bytes"] is None:
        words = Text("connected, but it doesn't answer", "yellow")
    if kept is not None:
        words.append(f", its slot keeps {size(kept)} of WAL")
        words.append(
            ", no limit is set" if left is None else f", {_room(left, seconds)}", "red" if found["wal_warning"] else ""
        )
    return words


def _room(left: int, seconds: float | None) -> str:
    if left <= 0:
        return "beyond its limit"
    return f"{size(left)} left" + ("" if seconds is None else f" ({duration(seconds)})")


def _progress(found: Found) -> tuple[str, Text] | None:
    for card in found.get("attention", ()):
        if (progress := card["progress"]) is not None:
            share = progress["done"] / max(1, progress["whole"])
            filled = int(10 * share)
            bar = f"{'█' * filled}{'░' * (10 - filled)} {share:.0%} of {progress['whole']:,}"
            pace, left = progress["per_second"], progress["seconds_left"]
            words = bar + (f", {pace:,.0f}/s" if pace is not None else "")
            return card["kind"], Text(words + (f", about {duration(left)} left" if left is not None else ""))
    return None


def card_lines(card: Found, width: int, lines: int = 2) -> Iterator[Text]:
    """What is so, and what to do. In one line the command alone, where there is one."""
    yield Text.assemble(("! ", _STYLES[card["tone"]]), card["title"])
    step, command = card["next"], card["command"]
    if lines == 1:
        yield from _wrapped(f"Next: {f'`{command}`' if command else step}", width, "  ", lines=1)
        return
    if card["text"]:
        yield from _wrapped(card["text"], width, "  ", "dim", lines)
    if step:
        yield from _wrapped(f"Next: {step}", width, "  ", lines=lines)
    if command and command not in step:
        yield Text(f"  $ {command}", "cyan")


def _wrapped(words: str, width: int, indent: str, style: str = "", lines: int = 2) -> list[Text]:
    """At most so many lines."""
    found = textwrap.wrap(
        words,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        max_lines=lines,
        placeholder=" …",
        break_on_hyphens=False,
    )
    return [Text(line, style) for line in found]


def event_lines(found: Found, most: int | None = None) -> list[Text]:
    """The latest, those that go on before the others."""
    told = [(_when(event, found["now"]), event["text"]) for event in found.get("events", ())[:most]]
    widest = max((len(when) for when, _ in told), default=0)
    return [Text.assemble((f"  {when:<{widest}}  ", "dim"), words) for when, words in told]


def _when(event: Found, now: float) -> str:
    """`03:18 UTC`, `03:18 to 03:21 UTC`, `since 03:18 UTC`."""
    return ("since " if event["open"] else "") + span(event["at"], event["until"], now)


def watch_status(look: Callable[[], Found], view: Callable[[Found], Group]) -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        if console().is_terminal:
            _view(look, view)
        else:
            _lines(look)


def _view(look: Callable[[], Found], view: Callable[[Found], Group]) -> None:
    with Live(view(look()), console=console(), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(EVERY)
            live.update(view(look()), refresh=True)


def _lines(look: Callable[[], Found]) -> None:
    printed: object = None
    while True:
        found = look()
        state = (found.get("running"), found.get("state"), found.get("reason"))
        if state != printed:
            printed = state
            click.echo(f"{clock(time.time())} {found['verdict']}")
        time.sleep(EVERY)
