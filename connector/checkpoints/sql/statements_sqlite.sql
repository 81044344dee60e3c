-- What SQLite says in its own way.

-- name: tally
-- Of holds only those that haven't ended count: there are a handful. SQLite counts a ledger fast enough.
SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM lookup), checkpoints, missing_orders,
  (SELECT since FROM ledger WHERE attempts < :blamed ORDER BY since LIMIT 1), (SELECT min(since) FROM lookup),
  (SELECT min((SELECT min(since) FROM held WHERE held.hold = hold.number)) FROM hold
    WHERE NOT ended AND state = 'gathering')
FROM census
