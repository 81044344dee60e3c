"""Whether people want colours: https://no-color.org, and terminals that have none."""

from __future__ import annotations

import os


def wanted() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
