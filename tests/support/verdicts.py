"""A connector in each state that it may be in: the facts as they are told then, for who shows them."""

from __future__ import annotations

from dataclasses import replace
from math import sin
from typing import Final

from connector.model.changes import StreamPosition, parse_lsn
from connector.model.orders import OrderKey
from connector.pipeline.ports.chronicle import Attempt
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.ports.records import Endpoint, LetterGroup, Sweep, SweepKind, Tally, Warned
from connector.status.facts import Counts, Facts, Leading, MappingRefused, Stage, State
from connector.status.last_hour import Event, Minute

NOW: Final = 1_795_490_730.0
"""2026-11-24 03:25:30 UTC."""
AT: Final = NOW - NOW % 60
GB: Final = 1024**3
STREAM: Final = StreamPosition(parse_lsn("3/A41F0C68"), parse_lsn("3/A41F0C68"), parse_lsn("3/A41F0C68"), 5.0, True)
BEHIND: Final = StreamPosition(parse_lsn("2/141F0C68"), parse_lsn("2/141F0C68"), parse_lsn("C/A41F0C68"), 5.0, True)
CUT: Final = StreamPosition(parse_lsn("3/A41F0C68"), parse_lsn("3/A41F0C68"), parse_lsn("3/A4298C68"), 5.0, False)


def _minutes(last: int, lag: float = 0.0, refused: int = 0, pushed: int = 40) -> tuple[Minute, ...]:
    """An hour of a shop's trade; of the `last` minutes, it is as said."""
    usual = [
        Minute(AT - 60 * ago, abs(2.5 * sin(ago)), int(34 + 22 * sin(ago / 7) + ago % 5))
        for ago in range(59, last - 1, -1)
    ]
    late = [
        Minute(AT - 60 * ago, max(lag - 60.0 * ago, 1.0), pushed, refused if ago % 3 == 0 else 0)
        for ago in range(last - 1, -1, -1)
    ]
    return (*usual, *late)


def _deliveries() -> tuple[Attempt, ...]:
    results = [
        ("pushed", ""),
        ("pushed", ""),
        ("invalid", "invalid"),
        ("again", "http_503"),
        ("pushed", ""),
        ("missing", ""),
    ]
    return tuple(
        Attempt(OrderKey(str(48_120 - at)), NOW - 4 - 3 * at, result, reason, 200, 0.12 + at / 50, 0.4 + at / 9)
        for at, (result, reason) in enumerate(results)
    )


ENDPOINT: Final = Endpoint("5f1b9c", "https://api.getredo.com/v2.2", active=True, approved=True, orders=48_091)
STARTED: Final = Event("started", NOW - 40_000.0, "Started")
COMPARED: Final = Sweep(
    SweepKind.RECONCILE, "reconcile.every", 8, 8, NOW - 8_900, scanned=48_079, finished_at=NOW - 8_000
)
WELL: Final = Facts(
    now=NOW,
    state=State.STREAMING,
    started_at=NOW - 40_000.0,
    version="0.1.0",
    mapping_fingerprint="c1d2a8803c4f5b6e",
    sync_lag_seconds=0.0,
    counted=True,
    position=STREAM,
    replication_lag_seconds=0.0,
    slot_retained_bytes=18 * 1024**2,
    wal_budget_bytes=50 * GB,
    slot_limit="source.wal_budget",
    slot_limit_left_bytes=50 * GB - 18 * 1024**2,
    tally=Tally(0, 0, None, 48_091, 12, {}),
    concurrency_limit=16,
    last_accepted_at=NOW - 4,
    counts=Counts(pushed=21_404, unchanged=1_911),
    accepted_per_minute=43,
    endpoints=(ENDPOINT,),
    recent_deliveries=_deliveries(),
    minutes=_minutes(0),
    last_reconcile=COMPARED,
    last_clean_reconcile=COMPARED,
    events=(
        Event("compared", NOW - 8_000.0, "Every order compared: nothing differed"),
        Event("disconnected", NOW - 12_430.0, "Disconnected from the OMS database", NOW - 12_250.0),
        STARTED,
    ),
)
QUIET: Final = replace(
    WELL,
    accepted_per_minute=0,
    last_accepted_at=NOW - 700,
    minutes=tuple(replace(one, pushed=0) for one in _minutes(0)),
)
WAITING: Final = Tally(1_500, 34, NOW - 740.0, 48_091, 12, {})
REFUSED: Final = (
    LetterGroup(
        "5e19ab02",
        "invalid",
        "customer.email: value is not a valid email address",
        28,
        31,
        NOW - 9_000,
        NOW - 700,
        tuple(map(OrderKey, ("48012", "48013", "48044"))),
    ),
    LetterGroup(
        "90cd11fe",
        "rejected",
        "shipping_address.country_code: unknown country",
        2,
        2,
        NOW - 8_000,
        NOW - 4_000,
        tuple(map(OrderKey, ("47110", "47111"))),
    ),
)
MISFIT: Final = MappingRefused(
    "mapping.sql:12:7", "there is no table oms.prodct", "correct the name: oms.product is the nearest", 2, NOW - 320
)
MAKE_ROOM: Final = "make room on that disk; the WAL is kept because it isn't read yet: `redo-connector status` says why"
HOLD: Final = Hold(3, HoldKind.CHANGES, "mapping changed", HoldState.HELD, NOW - 1_260, 4_812)


STANDING_BY: Final = Facts(
    NOW,
    State.STANDBY,
    NOW - 7_000,
    "0.1.0",
    "oms-2.shop.internal leads",
    leader=Leading("oms-2.shop.internal", NOW - 6_400.0, 12, False, "http://127.0.0.1:9464/ on oms-2", NOW - 0.2),
    minutes=(Minute(AT, None),),
    events=(Event("standby", NOW - 6_990, "Standing by", open=True), replace(STARTED, at=NOW - 7_000)),
)


def _since(kind: str, text: str, seconds: float) -> tuple[Event, ...]:
    return (Event(kind, NOW - seconds, text, open=True), *WELL.events)


VERDICTS: Final[dict[str, Facts]] = {
    "delivering": WELL,
    "quiet": QUIET,
    "starting": Facts(
        NOW,
        State.STARTING,
        NOW - 45,
        "0.1.0",
        "the slot can be made once these transactions have ended: pid 4711 of oms_batch, open for 12 min",
        "wait, or end it: `SELECT pg_terminate_backend(4711)`",
        sync_lag_seconds=45.0,
        minutes=(Minute(AT, 45.0),),
        events=(replace(STARTED, at=NOW - 45),),
    ),
    "standby": STANDING_BY,
    "standby-alone": replace(STANDING_BY, reason="nobody leads just now", leader=None),
    "standby-unfit": replace(
        STANDING_BY,
        mapping_refused=MISFIT,
        oms_away="connection to 10.20.0.7:5432 failed: connection refused",
        events=(
            Event("mapping_refused", NOW - 320, "The mapping is refused: mapping.sql:12:7", open=True),
            *STANDING_BY.events,
        ),
    ),
    "standby-differs": replace(STANDING_BY, mapping_differs=True),
    "backfilling": replace(
        WELL,
        state=State.BACKFILLING,
        started_at=NOW - 195,
        reason="31,200 of about 48,100 orders",
        sync_lag_seconds=192.0,
        accepted_per_minute=9_720,
        sweep=Sweep(SweepKind.BACKFILL, "first start", 1, 1, NOW - 192, scanned=31_200),
        sweep_remaining=16_900,
        sweep_per_second=162.4,
        last_accepted_at=NOW,
        in_flight=16,
        tally=Tally(420, 0, NOW - 3, 31_180, 0, {}),
        minutes=_minutes(4, 192.0, pushed=9_720)[-4:],
        events=(
            Event("backfilling", NOW - 192, "Filling Redo for the first time", open=True),
            replace(STARTED, at=NOW - 195),
        ),
    ),
    "comparing": replace(
        WELL,
        sweep=Sweep(SweepKind.RECONCILE, "reconcile.every", 9, 9, NOW - 60, scanned=6_100),
        sweep_remaining=41_991,
        sweep_per_second=98.0,
    ),
    "catching-up": replace(
        WELL,
        state=State.CATCHING_UP,
        sync_lag_seconds=740.0,
        tally=WAITING,
        accepted_per_minute=240,
        pace=4.0,
        in_flight=4,
        minutes=_minutes(13, 740.0, pushed=240),
        events=_since("catching_up", "Catching up", 720),
    ),
    "paused-by-hand": replace(
        WELL,
        state=State.PAUSED,
        reason="by hand, since 03:21:10 UTC",
        next_step="`redo-connector resume` when it may go on; changes are gathered meanwhile",
        stopped_at=Stage.REDO,
        paused_reason="by_hand",
        paused_since=NOW - 260,
        last_accepted_at=NOW - 262,
        sync_lag_seconds=255.0,
        accepted_per_minute=0,
        tally=Tally(161, 0, NOW - 255, 48_091, 12, {}),
        minutes=_minutes(5, 255.0, pushed=0),
        events=_since("paused", "Paused by hand", 260),
    ),
    "paused-token": replace(
        WELL,
        state=State.PAUSED,
        reason="Redo refused the API secret (since 14:02:31 UTC, next try 03:26:00 UTC)",
        next_step=(
            "check redo.api_secret, redo.store_id and redo.base_url: Redo refuses every order; `redo-connector resume` "
            "tries at once"
        ),
        stopped_at=Stage.REDO,
        paused_reason="http_401",
        paused_since=NOW - 48_200,
        sync_lag_seconds=48_190.0,
        accepted_per_minute=0,
        tally=Tally(9_412, 0, NOW - 48_190, 48_091, 12, {}),
        last_accepted_at=NOW - 48_300,
        minutes=tuple(replace(one, lag=48_190.0 - 60 * at, pushed=0) for at, one in enumerate(reversed(_minutes(0))))[
            ::-1
        ],
        events=_since("paused", "Paused: Redo refused the token", 48_200),
    ),
    "disconnected": replace(
        WELL,
        state=State.DISCONNECTED,
        position=CUT,
        replication_lag_seconds=None,
        slot_retained_bytes=None,
        slot_limit=None,
        reason="connection to 10.20.0.7:5432 failed: connection refused",
        stopped_at=Stage.SOURCE,
        sync_lag_seconds=440.0,
        accepted_per_minute=0,
        last_accepted_at=NOW - 450,
        next_step="see that the database runs and the network lets us through; it is tried again by itself",
        minutes=_minutes(8, 440.0, pushed=0),
        events=_since("disconnected", "Disconnected from the OMS database", 440),
    ),
    "silent": replace(
        WELL,
        state=State.CATCHING_UP,
        replication_lag_seconds=None,
        slot_retained_bytes=None,
        slot_limit=None,
        sync_lag_seconds=28.0,
        accepted_per_minute=31,
        last_accepted_at=NOW - 28,
        minutes=_minutes(1, 28.0, pushed=31),
    ),
    "reads-cut": replace(
        WELL,
        state=State.DISCONNECTED,
        reason="the stream is connected, orders are read again within 15 s",
        next_step="wait a moment",
        stopped_at=Stage.MAPPING,
        sync_lag_seconds=6.0,
        last_accepted_at=NOW - 9,
        tally=Tally(5, 0, NOW - 6, 48_091, 12, {}),
        events=_since("disconnected", "Disconnected from the OMS database", 6),
    ),
    "stalled": replace(
        WELL,
        state=State.STALLED,
        reason="the checkpoints at /var/lib/redo-connector/checkpoints.db can't be written: no space left on the disk",
        next_step=(
            "make room there, or mend what is named; the OMS keeps its WAL meanwhile, and the connector goes on by "
            "itself once that is mended"
        ),
        stopped_at=Stage.CHECKPOINTS,
        sync_lag_seconds=95.0,
        accepted_per_minute=0,
        last_accepted_at=NOW - 97,
        counted=False,
        minutes=_minutes(2, 95.0, pushed=0),
        events=_since("stalled", "Stalled: the checkpoints can't be written", 95),
    ),
    "mapping-misfit": replace(
        WELL,
        state=State.STALLED,
        reason="mapping.sql:12:7: there is no table oms.prodct",
        next_step="correct the name: oms.product is the nearest",
        stopped_at=Stage.MAPPING,
        mapping_refused=MISFIT,
        sync_lag_seconds=310.0,
        accepted_per_minute=0,
        last_accepted_at=NOW - 321,
        tally=Tally(77, 3, NOW - 310, 48_091, 12, {}),
        minutes=_minutes(6, 310.0, pushed=0),
        events=(
            Event("mapping_refused", NOW - 320, "The mapping is refused: mapping.sql:12:7", open=True),
            *_since("stalled", "Stalled: the mapping doesn't fit the database", 318),
        ),
    ),
    "mapping-refused": replace(
        WELL, mapping_refused=MISFIT, events=_since("mapping_refused", "The mapping is refused: mapping.sql:12:7", 320)
    ),
    "held": replace(
        WELL,
        state=State.HELD,
        reason="4,812 orders of 1 hold; `redo-connector approve` lets them go",
        holds=(HOLD,),
        held_orders=4_812,
        tally=replace(WELL.tally, held=4_812, holds=1),
        events=_since("held", "Hold 3: 4,812 orders that would change at Redo", 1_260),
    ),
    "first-fill-held": replace(
        WELL,
        state=State.HELD,
        reason="of the first 500 orders 497 were refused, nearly all because customer.email: must be an email address",
        next_step=(
            "mend the mapping (`redo-connector check`), every order is looked at again then; or let it go on "
            "(`redo-connector approve`)"
        ),
        holds=(replace(HOLD, kind=HoldKind.FIRST_FILL, cause="497 of the first 500 orders were refused"),),
        held_orders=4_812,
        tally=replace(WELL.tally, held=4_812, holds=1, dead_letters={"invalid": 497}),
        dead_letter_groups=(replace(REFUSED[0], orders=495),),
    ),
    "unapproved": replace(
        WELL,
        state=State.HELD,
        reason=(
            "orders were accepted by https://sandbox.getredo.com store 5f1b9c, and would go to "
            "https://api.getredo.com/v2.2 store 5f1b9c from now on"
        ),
        next_step="`redo-connector approve` shows them and lets them go, `approve --canary` some of them first",
        stopped_at=Stage.REDO,
        endpoints=(
            replace(ENDPOINT, approved=False, orders=0),
            replace(ENDPOINT, url="https://sandbox.getredo.com", active=False),
        ),
        holds=(Hold(4, HoldKind.ENDPOINT, "another address or store of Redo", HoldState.HELD, NOW - 600, 48_091),),
        held_orders=48_091,
        tally=replace(WELL.tally, checkpoints=0, missing=0, held=48_091, holds=1),
        accepted_per_minute=0,
        last_accepted_at=None,
        started_at=NOW - 620,
        minutes=tuple(replace(one, pushed=0) for one in _minutes(10)[-10:]),
        events=(
            Event("held", NOW - 600, "Hold 4: 48,091 orders for a new address or store", open=True),
            replace(STARTED, at=NOW - 620),
        ),
    ),
    "refused": replace(
        WELL,
        tally=replace(
            WELL.tally,
            dead_letters={"invalid": 28, "rejected": 2, "failing": 3},
            warnings={"line_item_id_changed": 1},
        ),
        minutes=_minutes(20, refused=4),
        dead_letter_groups=(
            *REFUSED,
            LetterGroup("77aa01bc", "failing", "Redo answered 500", 3, 60, NOW - 4_000, NOW - 30, (OrderKey("46990"),)),
        ),
        warned=(
            Warned(
                OrderKey("48100"),
                "line_item_id_changed",
                "the line item of a product has another id than before",
                NOW - 400,
                NOW - 400,
            ),
        ),
    ),
    "slot": replace(
        WELL,
        state=State.CATCHING_UP,
        sync_lag_seconds=5_400.0,
        position=BEHIND,
        replication_lag_seconds=5_400.0,
        slot_retained_bytes=46 * GB,
        slot_limit_left_bytes=4 * GB,
        slot_seconds_to_limit=1_300.0,
        wal_warning=(
            "the slot keeps 46.0 GB of WAL on the source's disk, 4.0 GB are left until source.wal_budget, which is "
            "reached in 21 min at the present pace"
        ),
        wal_advice=MAKE_ROOM,
        next_step=MAKE_ROOM,
        minutes=_minutes(60, 5_400.0),
        events=_since("catching_up", "Catching up", 5_400),
    ),
    "stopping": replace(WELL, state=State.STOPPING, in_flight=3),
}
VERDICTS["everything"] = replace(
    VERDICTS["paused-token"],
    mapping_refused=MISFIT,
    failing_tables=("oms.order_item", "oms.audit"),
    holds=(HOLD, replace(HOLD, number=4, kind=HoldKind.VANISHED, cause="rows vanished without a delete", orders=119)),
    held_orders=4_931,
    dead_letter_groups=VERDICTS["refused"].dead_letter_groups,
    tally=replace(WAITING, dead_letters={"invalid": 28, "rejected": 2, "failing": 3, "slow": 1}, held=4_931, holds=2),
    wal_warning=VERDICTS["slot"].wal_warning,
    wal_advice=VERDICTS["slot"].wal_advice,
    sweep=Sweep(SweepKind.RECONCILE, "mapping changed", 9, 9, NOW - 60, scanned=6_100),
    sweep_remaining=41_991,
    events=(
        VERDICTS["paused-token"].events[0],
        *(Event("paused", NOW - 100 * at, "Paused: Redo does not answer", NOW - 100 * at + 70) for at in range(1, 40)),
        *WELL.events,
    ),
)
"""Whatever can be wrong at once."""
