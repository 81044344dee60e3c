"""`check`: everything that `run` needs, looked at and left alone. What fails in one topic hides no other."""

from __future__ import annotations

from connector.checkpoints.address import SETTING
from connector.contract.order_builder import RedoContract
from connector.inspect.checks.mapping_checks import check_mapping
from connector.inspect.checks.redo_checks import check_redo
from connector.inspect.checks.start_checks import source_checks
from connector.inspect.checks.status_port import check_status_port
from connector.inspect.checks.store_checks import check_store
from connector.model.checklist import Checklist, Topic
from connector.model.errors import ConfigurationError, Problem, SourceUnavailable
from connector.projection import Access
from connector.projection.sql.mapping import Mapping
from connector.settings import config
from connector.settings.config import Settings
from connector.settings.exposure import unverified
from connector.source.checks.replica import replica_problems
from connector.wiring import factories


async def check(settings: Settings) -> Checklist:
    """Everything that `run` needs, looked at and left alone."""
    found, contract = Checklist(), None
    try:
        contract = factories.redo_contract(settings)
    except ConfigurationError as error:
        found.of(Topic.SETTINGS).problems += error.problems
    await _check_database(settings, contract, found)
    await check_redo(settings, found.of(Topic.REDO))
    await check_store(settings, found.of(Topic.CHECKPOINTS))
    await check_status_port(settings, found.of(Topic.STATUS))
    _check_identities(settings, found)
    return found


async def check_tables(settings: Settings) -> Checklist:
    """What can be looked at before there is a secret of Redo's, and without reading an order: mapping and source."""
    found = Checklist()
    await _check_database(settings, None, found)
    return found


def _check_identities(settings: Settings, found: Checklist) -> None:
    """Whether servers on other machines prove who they are."""
    source, kept = settings.source, factories.checkpoints(settings)
    secrets = {"source.dsn": source.dsn, "source.read_dsn": source.read_dsn}
    dsns = {name: dsn.get_secret_value() for name, dsn in secrets.items() if dsn is not None}
    found.of(Topic.DATABASE).problems += unverified(dsns, config.environment())
    if kept.in_postgres:
        found.of(Topic.CHECKPOINTS).problems += unverified({SETTING: kept.url}, config.environment())


async def _check_database(settings: Settings, contract: RedoContract | None, found: Checklist) -> None:
    """First what can be seen without any privilege, so that all that is missing is reported at once. Orders are read
    where there is a contract to look at them by."""
    access = await _access(settings, found)
    unreached = {problem.where for problem in found.of(Topic.DATABASE).problems}
    if "source.dsn" in unreached:
        found.unseen(_UNREACHED, Topic.PRIVILEGES, Topic.STREAM)
    else:
        found.add(await source_checks(settings, None if access is None else access.tables))
        if "source.read_dsn" not in unreached:
            await _check_replica(settings, found)
    if access is not None:
        await check_mapping(settings, contract, found)
        return
    found.unseen(_UNREACHED if unreached else "the mapping can't be used as it is", Topic.ROUTES, Topic.ORDERS)
    if unreached:
        _check_text(settings, found)


_UNREACHED = "the database can't be reached"


async def _access(settings: Settings, found: Checklist) -> Access | None:
    """None where mapping or database don't allow it."""
    try:
        return await factories.load_access(settings)
    except ConfigurationError as error:
        for problem in error.problems:
            topic = Topic.DATABASE if problem.where.startswith("source.") else Topic.MAPPING
            found.of(topic).problems.append(problem)
    except SourceUnavailable as error:
        where = "source.read_dsn" if settings.source.read_dsn else "source.dsn"
        found.of(Topic.DATABASE).problems.append(Problem(str(error), error.hint, where))
    return None


def _check_text(settings: Settings, found: Checklist) -> None:
    """As much of the mapping as can be read without the database."""
    mapping, path = found.of(Topic.MAPPING), settings.mapping.path
    mapping.unseen.append(f"its tables and columns: {_UNREACHED}")
    try:
        Mapping(factories.mapping_text(path), path.name)
        mapping.fine.append(f"{path.name} can be read as SQL")
    except ConfigurationError as error:
        mapping.problems += error.problems
    except RecursionError:
        mapping.unseen.append("its text, which is nested too deeply")


async def _check_replica(settings: Settings, found: Checklist) -> None:
    if settings.source.read_dsn is None:
        return
    database = found.of(Topic.DATABASE)
    try:
        problems = await replica_problems(factories.source_dsn(settings), factories.read_dsn(settings))
        database.found(problems, "source.read_dsn leads to a copy of it, from which orders are read")
    except ConfigurationError as error:
        database.problems += error.problems
    except SourceUnavailable as error:
        hint = error.hint or "check source.dsn and source.read_dsn"
        database.problems.append(Problem(str(error), hint, "source.read_dsn"))
