-- What Postgres says in its own way.

-- name: tally
-- Of holds only those that haven't ended count: there are a handful. Triggers count the ledger: Postgres would read it.
SELECT affected, (SELECT count(*) FROM lookup), checkpoints, missing_orders,
  (SELECT since FROM ledger WHERE attempts < :blamed ORDER BY since LIMIT 1), (SELECT min(since) FROM lookup),
  (SELECT min((SELECT min(since) FROM held WHERE held.hold = hold.number)) FROM hold
    WHERE NOT ended AND state = 'gathering')
FROM census

-- name: ledger_doubt_in_flight
-- The server may have lost how these were settled; who took them goes on. Redo may hold something else than their
-- checkpoints say.
UPDATE ledger SET confirm = true, late_until = greatest(late_until, CAST(:late_until AS float8)) WHERE in_flight

-- name: writer
-- Who wrote last, and how many writes there were that the writer relies on.
SELECT writer, writes FROM census

-- name: writer_begin
UPDATE census SET writer = :writer

-- name: writer_count
UPDATE census SET writes = writes + 1

-- name: at_length
-- Everything is read, in one transaction that may take as long as it takes: not as queries elsewhere, which walk along
-- an index.
SELECT set_config(name, value, true) FROM (VALUES ('statement_timeout', '0'), ('enable_seqscan', 'on'),
  ('enable_hashjoin', 'on'), ('enable_mergejoin', 'on')) AS wanted (name, value)
