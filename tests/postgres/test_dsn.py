"""Connection strings: what is added to them, what overrides them, and that none is quoted."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from connector.model.errors import ConfigurationError, Problem
from connector.postgres.dsn import conninfo, describe


def test_defaults_stand_where_the_dsn_is_silent_and_overrides_stand_before_it() -> None:
    dsn = "postgresql://ann@db/shop?connect_timeout=3&application_name=theirs&client_encoding=LATIN1"
    found = conninfo_to_dict(conninfo(dsn, 30.0, defaults={"sslmode": "require", "user": "nobody"}, dbname="other"))
    assert (found["user"], found["connect_timeout"], found["application_name"]) == ("ann", "3", "theirs")
    assert (found["sslmode"], found["keepalives_idle"], found["tcp_user_timeout"]) == ("require", "5", "15000")
    assert (found["dbname"], found["client_encoding"]) == ("other", "UTF8")


def test_a_string_that_was_read_once_stays_as_it_is() -> None:
    once = conninfo("host=db dbname=shop", 12.0)
    assert conninfo_to_dict(conninfo(once)) == conninfo_to_dict(once)


@pytest.mark.parametrize("dsn", ["postgresql://ann:p@pw@db/shop", "postgresql://ann:pw@db:54x/shop", "nonsense=pw"])
def test_a_string_that_cannot_be_read_is_one_problem_and_is_not_quoted(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        conninfo(dsn)
    assert [found.where for found in caught.value.problems] == ["source.dsn"]
    assert "pw" not in str(caught.value)
    own = Problem("it can't be read", "write it anew", "some.setting")
    with pytest.raises(ConfigurationError) as caught:
        conninfo(dsn, unreadable=own)
    assert list(caught.value.problems) == [own]


def test_a_description_has_host_port_and_database_alone() -> None:
    assert describe("postgresql://ann:secret@db:5433/shop") == "db:5433/shop"
    assert describe("user=ann") == "local socket:5432/ann"
