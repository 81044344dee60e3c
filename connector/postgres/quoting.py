"""Names in SQL that is put together as text: statements for people to run, and edits of their own SQL."""

from __future__ import annotations


def quoted(*names: str) -> str:
    """A dotted SQL name, quoted."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
