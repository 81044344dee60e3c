"""`check` of the status port: free for `run`, or held by the connector that these settings are of."""

from __future__ import annotations

from connector.inspect import running_connector
from connector.model.checklist import Findings
from connector.model.errors import ConfigurationError, ConnectorError
from connector.settings.config import Settings
from connector.status.server.web_server import listen


async def check_status_port(settings: Settings, status: Findings) -> None:
    host, port, address = settings.status.host, settings.status.port, running_connector.address(settings)
    if not port:
        status.fine.append(f"any free port of {host}, which the log of `run` names")
        return
    if await running_connector.ask(settings, running_connector.STATUS, expected="verdict", timeout=2.0) is not None:
        try:
            other = await running_connector.other_store(settings)
        except ConnectorError:
            other = None  # the store's own trouble, told there
        status.found([other] if other else (), f"a connector with these settings answers at {address}")
        return
    try:
        (await listen(host, port)).close()
        status.fine.append(f"{address} is free")
    except ConfigurationError as error:
        status.problems += error.problems
