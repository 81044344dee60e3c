"""Why a database isn't available comes with the next step, for what a person gets wrong at first."""

from __future__ import annotations

import pytest

from connector.model.errors import SourceUnavailable
from connector.postgres.connections import connection
from connector.postgres.errors import remedy
from tests.support.postgres.cluster import Cluster

MISTAKES = {
    "another port": ("postgresql://ann@127.0.0.1:1/shop", "that the server runs"),
    "another host": ("postgresql://ann@db.invalid/shop", "check the host's name"),
    "another database": ("postgresql://postgres@127.0.0.1:{port}/nowhere", "`psql -l` lists"),
    "no host": ("host=/nowhere dbname=shop", "name the host"),
    "no TLS": ("postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=require", "ssl = on"),
    "no such mode": ("postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=on", "mend it in the connection string"),
    "no such port": ("postgresql://postgres@127.0.0.1:99999/postgres", "mend it in the connection string"),
    "no such service": ("service=nowhere", "mend it in the connection string"),
}


@pytest.mark.parametrize(("dsn", "hint"), MISTAKES.values(), ids=MISTAKES)
async def test_a_first_users_mistake_is_told_with_the_next_step(cluster: Cluster, dsn: str, hint: str) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        async with connection(dsn.format(port=cluster.port)):
            pass
    assert hint in caught.value.hint, str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        'root certificate file "/home/oms/.postgresql/root.crt" does not exist Either provide the file, use the system',
        "SSL error: certificate verify failed",
    ],
)
def test_a_server_whose_authority_is_not_known_leads_to_sslrootcert(words: str) -> None:
    assert "sslrootcert=FILE" in remedy(words, "ann")
