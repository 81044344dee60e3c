"""What a mapping depended on when orders were last compared by it, as a note that is kept with the checkpoints; and
what has changed since, also while the connector was down.

No I/O. It must not know where it is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from connector.model.errors import Problem
from connector.projection.assembly.projection import Projection
from connector.projection.catalog.dependencies import State, difference, other_history

Remembered: TypeAlias = Mapping[str, Any]


def remember(projection: Projection) -> str:
    found = {
        "mapping": _digest(projection),
        "state": projection.basis.state,
        "hidden": sorted(problem.where for problem in projection.hidden),
    }
    return json.dumps(found, separators=(",", ":"))


def recall(text: str | None) -> Remembered | None:
    """None for what another version wrote."""
    try:
        found = json.loads(text or "null")
        known = found is not None and {"role", "timeline", "relations", "parts", "functions"} <= found["state"].keys()
        return found if known and {"mapping", "hidden"} <= found.keys() else None
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def altered(remembered: Remembered | None, projection: Projection) -> str | None:
    """Why rows may have vanished since, or may mean something else; None when that can't be. Where the mapping's own
    text is another one too, what both texts read is compared."""
    if remembered is None:
        return None
    before, now = remembered["state"], projection.basis.state
    if remembered["mapping"] != _digest(projection):
        before = _shared(before, now)
        now = {**now, "functions": _known(now["functions"], before["functions"].values())}
    return difference(before, now) or other_history(before["timeline"], now["timeline"])


def newly_hidden(remembered: Remembered | None, projection: Projection, accepted: Collection[str]) -> list[Problem]:
    """Tables of which policies may hide rows, and didn't when orders were last compared. Nobody has said that they are
    meant to; `accepted` are those of which somebody did."""
    if remembered is None:
        return []
    known = {*remembered["hidden"], *accepted}
    hint = "if it is meant to see only some rows, say so: mapping.filtered_tables ="
    return [
        replace(problem, warning=False, hint=f'{problem.hint}; {hint} ["{problem.where}"]')
        for problem in projection.hidden
        if problem.where not in known
    ]


def _shared(before: State, now: State) -> State:
    names = {one["name"] for one in now["relations"].values()}
    relations = {
        oid: one for oid, one in before["relations"].items() if oid in now["relations"] or one["name"] in names
    }
    functions = _known(before["functions"], now["functions"].values())
    return {**before, "relations": relations, "parts": {}, "functions": functions}


def _known(functions: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {stamp: name for stamp, name in functions.items() if name in names}


def _digest(projection: Projection) -> str:
    return hashlib.sha256(projection.statement.encode()).hexdigest()
