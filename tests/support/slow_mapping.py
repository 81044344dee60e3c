"""A function that no statement timeout of a test lets end."""

from __future__ import annotations

from tests.support.fixtures.postgres import Database


def never_in_time(shop: Database) -> None:
    """Makes `shop.slept(bigint)`, which a mapping may use."""
    body = "'BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN id; END'"
    with shop.connect() as conn:
        conn.execute(f"CREATE FUNCTION shop.slept(id bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS {body}")
