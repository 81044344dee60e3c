"""The settings that every session of ours has, whatever the server, the database or the role has set.

`ALTER ROLE ... SET` and `ALTER DATABASE ... SET` reach each session of a role: some change what a query answers or how
a value is written, others end a session that waits. Knows no purpose: time limits and what may be written are the
caller's to add.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from psycopg import sql

PINNED: Final[Mapping[str, str]] = {
    # Who reads is who logs in.
    "role": "none",
    # How values are written.
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "quote_all_identifiers": "off",
    # How values and SQL are read.
    "array_nulls": "on",
    "xmloption": "content",
    "timezone_abbreviations": "Default",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    # What a query finds.
    "gin_fuzzy_search_limit": "0",
    "restrict_nonsystem_relation_kind": "",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # How long it lasts.
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    # What it costs: compiling a query and starting workers take longer than any query of ours.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "auto",
}
"""By name; those that a server is too old to know are left out. Not here: the locale (`lc_monetary`, `lc_numeric`,
`lc_time`) and `default_text_search_config`, because nothing tells what the server's own would be."""


def settings_statement(own: Mapping[str, str]) -> sql.Composed:
    """Sets what is pinned, and the caller's own, in one round trip. By statement and not by libpq's `options`, which
    connection poolers refuse; without parameters, because a replication connection takes simple queries only."""
    calls = [_CALL.format(sql.Literal(name), sql.Literal(value)) for name, value in {**PINNED, **own}.items()]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))


_CALL: Final = sql.SQL("CASE WHEN current_setting({0}, true) IS NOT NULL THEN set_config({0}, {1}, false) END")
