"""`grants`: the SQL script that lets the connector's role in, and the one that takes it all back."""

from __future__ import annotations

from connector.settings.config import Settings
from connector.source.checks.grants import Access
from connector.source.checks.grants import grants as print_grants
from connector.source.checks.hosting import Hosting
from connector.source.checks.revocations import revocation as print_revocation
from connector.wiring import factories


async def grants(settings: Settings, role: str, hosting: str | None) -> str:
    """The script that lets a role in, for a database hosted there (None: as recognised)."""
    wanted = await factories.load_access(settings)
    needs = wanted.privileges
    access = Access(
        role,
        wanted.tables,
        # The mapping may come to read more columns of a table tomorrow; queries of ours read those that join.
        {name: None if name in needs.named else sorted(columns or ()) for name, columns in needs.columns.items()},
        sorted(needs.schemas),
        [(function.schema, function.name, function.arguments) for function in wanted.functions],
        wanted.path,
    )
    where = None if hosting is None else Hosting(hosting)
    return await print_grants(
        factories.source_dsn(settings), access, settings.source.publication, settings.source.slot, where
    )


async def revocation(settings: Settings, role: str, hosting: str | None) -> str:
    """The script that takes back what a role has in the database, whatever mapping it was given for."""
    where = None if hosting is None else Hosting(hosting)
    source = settings.source
    return await print_revocation(factories.source_dsn(settings), role, source.publication, source.slot, where)
