"""The demo's OMS: its schema, a first set of orders, and people at work on them."""

from __future__ import annotations

from importlib import resources
from typing import Any

import psycopg


def create(conn: psycopg.Connection[Any]) -> None:
    """Create the schema in an empty database, in one transaction."""
    with conn.transaction():
        conn.execute(resources.files("connector.demo").joinpath("oms.sql").read_bytes())
