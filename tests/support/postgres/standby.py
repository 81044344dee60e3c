"""A physical standby of a test's own server.

Made from a copy of the stopped primary, so that it needs no program beyond the server itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import psycopg

from connector.demo.postgres.cluster import SETTINGS
from connector.demo.postgres.scratch import Account, Scratch
from tests.support.postgres.cluster import Cluster


def standby_of(primary: Cluster, settings: Mapping[str, str] | None = None) -> Cluster:
    """Restarts the primary. Destroy what is returned."""
    scratch = Scratch(Account.fit())
    data = scratch.path / "data"
    try:
        primary.stop()
        shutil.copytree(primary.data, data)
        primary.start()
        for slot in (data / "pg_replslot").iterdir():
            shutil.rmtree(slot)
        (data / "standby.signal").touch()
        scratch.account.own(data)
        conninfo = f"host=127.0.0.1 port={primary.port} user=postgres dbname=postgres application_name=standby"
        own = {"fsync": "off", "hot_standby_feedback": "on", "primary_conninfo": conninfo}
        standby = Cluster(primary.installation, scratch, {**SETTINGS, **own, **(settings or {})})
        standby._start_on_free_port()
    except BaseException:
        scratch.remove()
        raise
    return standby


def replayed(primary: Cluster, standby: Cluster) -> bool:
    """Whether the standby has replayed all that the primary has written."""
    with psycopg.connect(primary.dsn(), autocommit=True) as conn:
        row = conn.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    with psycopg.connect(standby.dsn(), autocommit=True) as conn:
        return conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() == (True,)


def cut_off(standby: Cluster) -> None:
    """It receives nothing any more."""
    with psycopg.connect(standby.dsn(), autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET primary_conninfo = ''")
        conn.execute("SELECT pg_reload_conf()")


def receiving(standby: Cluster) -> bool:
    with psycopg.connect(standby.dsn(), autocommit=True) as conn:
        return conn.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone() != (0,)


def promote(standby: Cluster) -> None:
    """Returns once it is a primary."""
    with psycopg.connect(standby.dsn(), autocommit=True) as conn:
        assert conn.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)
