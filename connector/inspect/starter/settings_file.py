"""The text of a first connector.toml. Pure."""

from __future__ import annotations

import json
from typing import Final

SECRET_FILE: Final = "secrets/api_secret"  # noqa: S105 -- a path
"""Where the API secret goes, beside connector.toml."""

_TEXT: Final = """\
# Settings of redo-connector, made by `redo-connector init`; docs/settings.md has every key. Relative paths are relative
# to this file. Every key is also a variable of the environment: CONNECTOR_<SECTION>__<KEY>. Editors complete keys after
# `redo-connector settings-schema > connector.schema.json`, with `#:schema ./connector.schema.json` as the first line.

[source]
# The OMS's database. No password here: ~/.pgpass has it (or the file that PGPASSFILE names), or PGPASSWORD; or write
# the whole string with it into a file, and name that by CONNECTOR_SOURCE__DSN_FILE, or here: dsn_file = "secrets/dsn".
dsn = {dsn}
{zone}

[mapping]
path = "mapping.sql"

[redo]
# The store, and the file that holds its API secret and nothing else. The folder is kept out of version control.
{store}
api_secret_file = "{secret}"
# To rehearse against a local Redo, `redo-connector sandbox`:
# base_url = "http://127.0.0.1:9465"

[checkpoints]
# What Redo last accepted. Keep it: without it every order is compared and pushed anew.
url = "sqlite:///connector.db"

[status]
# The page, metrics and health, for this machine only.
host = "127.0.0.1"
port = 9464
"""


def settings_text(dsn: str, store_id: str | None, zoneless: str | None) -> str:
    """`dsn`: without its password; `zoneless`: the column of an order's time, where that says no zone."""
    zone = 'timezone = "UTC"'
    said = f"check: {zoneless} has no zone; " if zoneless else ""
    store = f"store_id = {_toml(store_id)}" if store_id else '# TODO: store_id = "..."'
    return _TEXT.format(
        dsn=_toml(dsn),
        zone=f"# {said}the zone of time stamps without one, an IANA name such as America/New_York.\n{zone}",
        store=store,
        secret=SECRET_FILE,
    )


def _toml(text: str) -> str:
    """A basic string: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
