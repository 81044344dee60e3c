"""Two stores behind one mapping, with the whole connector: each order goes to its own with its own secret, and trouble
in one is no trouble for the other.
"""

from __future__ import annotations

import json
import os
from typing import Any

from connector.sandbox.store import Store
from connector.status.facts import State
from connector.status.status_json import as_json
from tests.support.fixtures.connector import Rig, eventually
from tests.support.processes import forked

SECOND = "outlet"
OURS = """CASE WHEN o.ord_id <= 10 THEN 'outlet' WHEN o.ord_id <= 12 THEN 'closed' END AS store_id"""


def tags(store: Store, order_id: str) -> Any:
    return json.loads(store.orders[order_id])["tags"]


async def printed(rig: Rig, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    arguments = (*arguments, "--config", str(rig.write_config()))
    ran = await forked.finish("connector", *arguments, folder=rig.folder, environment=environment)
    return ran.stdout + ran.stderr


async def test_each_order_goes_to_its_store_and_a_refused_token_in_one_stops_no_other(rig: Rig) -> None:
    main = rig.sandbox.state
    main.stores[SECOND] = "the-outlets-secret"
    second = main.store(SECOND)
    assert second is not None
    rig.mapping = rig.mapping.replace("o.ord_id::text AS id,", f"o.ord_id::text AS id, {OURS},")
    rig.overrides["redo"] = {"stores": {SECOND: {"api_secret": "the-outlets-secret"}}}
    await rig.start()
    await rig.quiet()
    assert second.orders.keys() == {str(key) for key in range(1, 11)}
    assert main.orders.keys() == {str(key) for key in range(13, 41)}
    assert {*main.answers, *second.answers} == {"POST 200"}, "none was refused for another store's secret"

    second.switches.unauthorized = True
    rig.execute("UPDATE oms.order_header SET tag_list = 'waits' WHERE ord_id <= 5")
    rig.running.facts_collector.started = True
    await eventually("the outlet is paused", lambda: rig.running.pipeline.admissions.paused.keys() == {SECOND})
    rig.execute("UPDATE oms.order_header SET tag_list = 'flows' WHERE ord_id BETWEEN 20 AND 30")
    await eventually(
        "the other store's orders flow", lambda: all(tags(main, str(key)) == ["flows"] for key in range(20, 31))
    )
    assert tags(second, "1") != ["waits"]
    facts = rig.running.facts_collector.facts()
    assert (facts.state, as_json(facts)["paused_stores"]) == (State.PAUSED, {SECOND: "http_401"})
    assert facts.reason.startswith(f"store {SECOND}: 401")
    second.switches.unauthorized = False
    await eventually(
        "the outlet gets its orders by itself", lambda: all(tags(second, str(key)) == ["waits"] for key in range(1, 6))
    )

    second.switches.reject = ["6"]
    rig.execute("UPDATE oms.order_header SET tag_list = 'refused' WHERE ord_id = 6")
    await rig.quiet()
    letters = await printed(rig, "dead-letters", "list", "--each")
    assert "order 6: rejected (HTTP 400), store outlet, since" in letters
    assert "order 11: invalid, since" in letters
    assert letters.count("store_id: is no store of the settings: add [redo.stores.<id>] with its api_secret") == 2
    assert "closed" not in letters
    groups = await printed(rig, "dead-letters", "list")
    assert "rejected, 1 order, 1 attempt, store outlet, since" in groups
    assert "order 11: invalid, store closed\n" in await printed(rig, "preview", "11")
