"""What a DBA has set for the role or the database changes neither what orders say nor how long we stay."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database

NASTY = {
    "array_nulls": "off",
    "backslash_quote": "off",
    "bytea_output": "escape",
    "datestyle": "German, DMY",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "extra_float_digits": "-15",
    "gin_fuzzy_search_limit": "1",
    "idle_in_transaction_session_timeout": "900ms",
    "idle_session_timeout": "900ms",
    "intervalstyle": "iso_8601",
    "jit": "on",
    "jit_above_cost": "0",
    "lock_timeout": "1ms",
    "max_parallel_workers_per_gather": "8",
    "plan_cache_mode": "force_generic_plan",
    "quote_all_identifiers": "on",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
    "standard_conforming_strings": "off",
    "statement_timeout": "5s",
    "synchronous_commit": "off",
    "timezone": "Asia/Kathmandu",
    "timezone_abbreviations": "Australia",
    "transaction_timeout": "5s",
    "transform_null_equals": "on",
    "xmlbinary": "hex",
    "xmloption": "document",
}
SENSITIVE = r"""to_jsonb(ARRAY[
    '\x01ff'::bytea::text, (0.1::float8 + 0.2)::text, '{NULL,a}'::text[]::text, 'oms.order_header'::regclass::text,
    coalesce((o.tag_list = NULL)::text, 'neither'), (interval '26 hours 3 minutes')::text, 'a\\b',
    (timestamptz '2020-01-02 12:00 EST')::text, (date '2020-01-02')::text, v.chan_cd::text,
    current_user::text]) AS tags"""
PLAIN = "to_jsonb(string_to_array(o.tag_list, ',')) AS tags"


@pytest.fixture
def nasty(filled_oms: Database) -> Iterator[str]:
    """A DSN whose role has it all set, and becomes another one as it logs in."""
    with filled_oms.connect() as conn:
        conn.execute("CREATE VIEW oms.channel AS SELECT ord_id, chan_cd FROM oms.order_header")
        conn.execute("CREATE ROLE nasty SUPERUSER LOGIN")
        conn.execute("CREATE ROLE nobody_else")
        known = {name for (name,) in conn.execute("SELECT name FROM pg_settings").fetchall()}
        for name, value in {**NASTY, "role": "nobody_else"}.items():
            if name in known or name == "role":
                setting = sql.SQL("ALTER ROLE nasty SET {} = {}")
                listed = sql.SQL(", ").join(sql.Literal(part) for part in value.split(", "))
                conn.execute(setting.format(sql.Identifier(name), listed))
    yield make_conninfo(filled_oms.dsn, user="nasty")
    with filled_oms.connect() as conn:
        conn.execute("DROP OWNED BY nasty")
        conn.execute("DROP ROLE nasty")
        conn.execute("DROP ROLE nobody_else")


@pytest.fixture
def sensitive(rig: Rig) -> Rig:
    """Its mapping says what almost any of these settings would change."""
    assert PLAIN in rig.mapping
    rig.mapping = rig.mapping.replace(PLAIN, SENSITIVE).replace(
        "FROM oms.order_header AS o", "FROM oms.order_header AS o JOIN oms.channel AS v ON v.ord_id = o.ord_id"
    )
    assert "oms.channel AS v" in rig.mapping
    return rig


def sessions(rig: Rig) -> dict[int, float]:
    """Ours by process, with the seconds for which each has been idle."""
    with rig.database.connect() as conn:
        rows = conn.execute(
            "SELECT pid, extract(epoch FROM clock_timestamp() - state_change)::float8 FROM pg_stat_activity"
            " WHERE application_name = 'redo-connector' AND backend_type = 'client backend' AND usename = 'nasty'"
        ).fetchall()
    return dict(rows)


def said(rig: Rig) -> dict[str, bytes]:
    """What Redo was sent, without when and as whom."""
    told = {key: re.sub(rb'"updatedAt":"[^"]*"', b"", body) for key, body in rig.sandbox.state.orders.items()}
    return {key: body.replace(b'"nasty"', b'"postgres"') for key, body in told.items()}


async def test_a_role_with_all_of_it_set_nastily_reads_the_same_orders_byte_for_byte(
    sensitive: Rig, nasty: str
) -> None:
    await sensitive.start()
    await eventually("all are there", lambda: len(sensitive.sandbox.state.orders) == 40)
    plain = said(sensitive)
    await sensitive.stop()
    assert all(rb'"\\x01ff"' in body for body in plain.values())

    sensitive.sandbox.state.orders.clear()
    (sensitive.folder / "connector.db").unlink()
    sensitive.overrides = {"source": {"dsn": nasty, "slot": f"{sensitive.slot}_nasty"}}
    await sensitive.start()
    await eventually("all are there", lambda: len(sensitive.sandbox.state.orders) == len(plain))
    nastily = said(sensitive)
    assert nastily == plain
    sensitive.execute("UPDATE oms.order_header SET chan_cd = 'PHONE' WHERE ord_id = 1")
    await sensitive.read_up_to(sensitive.wal_end())
    await eventually("a change goes the same way", lambda: b'"PHONE"' in sensitive.sandbox.state.orders["1"])


async def test_no_session_of_ours_ends_for_being_idle(rig: Rig, nasty: str) -> None:
    rig.overrides = {"source": {"dsn": nasty}}
    await rig.start()
    await rig.quiet()
    before = sessions(rig)
    assert before

    def idle() -> bool:
        return max(sessions(rig).values(), default=0.0) > 2.0

    await eventually("one was idle for longer than the role may be", idle)
    assert sessions(rig).keys() >= before.keys()
