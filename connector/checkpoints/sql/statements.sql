-- The statements of the checkpoint store that SQLite and Postgres share. `connector.checkpoints.statements` says how
-- they are written and what each engine makes of them.


-- What is the same for several tables.

-- name: {table}_of
-- tables: checkpoint, leftover, payload, line_item, member, held, dead_letter
SELECT {columns} FROM {table} WHERE key = ANY (:keys)

-- name: {table}_put
-- tables: checkpoint, payload, unseen, finished_sweep, note
-- rows: {columns}
INSERT INTO {table} {rows} ON CONFLICT ({key}) DO UPDATE SET {replaced}

-- name: {table}_add
-- tables: leftover, payload, line_item, member
-- rows: {columns}
INSERT INTO {table} {rows} ON CONFLICT DO NOTHING

-- name: {table}_remove
-- tables: leftover, line_item, member
-- rows: {columns}
DELETE FROM {table} WHERE ({columns}) IN (SELECT {each} FROM rows)

-- name: {table}_forget
-- tables: ledger, checkpoint, held, dead_letter
DELETE FROM {table} WHERE key = ANY (:keys)

-- name: {table}_forget_all
-- tables: ledger, lookup, held, dead_letter, finished_sweep
DELETE FROM {table}

-- name: {table}_keys
-- tables: leftover, line_item, warning, payload
SELECT DISTINCT key FROM {table} WHERE key = ANY (:keys)

-- name: {table}_give_way
-- tables: leftover, line_item, warning, payload
-- rows: was text, now text
DELETE FROM {table} USING rows
WHERE {table}.key = rows.now AND ({rest}) IN (SELECT {rest} FROM {table} WHERE key = rows.was)

-- name: {table}_rename
-- tables: checkpoint, leftover, line_item, warning, payload
-- rows: was text, now text
UPDATE {table} SET key = rows.now FROM rows WHERE key = rows.was


-- The ledger: which orders wait to be looked at.

-- name: ledger_arrive
-- rows: key, first_revision, revision, since, lane, confirm, approved
-- What failed is tried at once when it changes, but stays above due = 0. What arrives while the order is in flight is
-- also remembered apart (newer_*), because its settlement leaves exactly that part behind.
INSERT INTO ledger {rows} ON CONFLICT (key) DO UPDATE SET
  first_revision = least(ledger.first_revision, excluded.first_revision),
  revision = greatest(ledger.revision, excluded.revision),
  since = least(ledger.since, excluded.since),
  lane = least(ledger.lane, excluded.lane),
  due = CASE WHEN ledger.attempts > 0 THEN greatest(0.001, least(ledger.due, excluded.since)) ELSE 0 END,
  confirm = ledger.confirm OR excluded.confirm,
  approved = ledger.approved OR excluded.approved,
  newer_first = CASE WHEN ledger.in_flight
    THEN least(coalesce(ledger.newer_first, excluded.first_revision), excluded.first_revision) END,
  newer_since = CASE WHEN ledger.in_flight
    THEN least(coalesce(ledger.newer_since, excluded.since), excluded.since) END,
  newer_confirm = ledger.in_flight AND (ledger.newer_confirm OR excluded.confirm),
  newer_approved = ledger.in_flight AND (ledger.newer_approved OR excluded.approved)

-- name: ledger_due
-- rows: lane
-- Two walks along the index ledger_next for each lane, each as long as its limit whatever waits behind.
SELECT found.* FROM rows CROSS JOIN LATERAL (
  SELECT * FROM (
    SELECT key, first_revision, revision, since, ledger.lane, attempts, confirm, late_until, approved FROM ledger
    WHERE ledger.lane = rows.lane AND attempts = 0 AND due = 0 ORDER BY revision LIMIT :page) AS never_delayed
  UNION ALL SELECT * FROM (
    SELECT key, first_revision, revision, since, ledger.lane, attempts, confirm, late_until, approved FROM ledger
    WHERE ledger.lane = rows.lane AND attempts = 0 AND due > 0 AND due <= :now ORDER BY due LIMIT :page) AS delay_over
) AS found

-- name: ledger_failing
-- rows: lane
SELECT found.* FROM rows CROSS JOIN LATERAL (
  SELECT due, key, first_revision, revision, since, ledger.lane, attempts, confirm, late_until, approved FROM ledger
  WHERE ledger.lane = rows.lane AND attempts > 0 AND due > 0 AND due <= :now ORDER BY due LIMIT :page
) AS found

-- name: ledger_mark
UPDATE ledger SET in_flight = true, newer_first = NULL, newer_since = NULL, newer_confirm = false,
  newer_approved = false
WHERE key = ANY (:keys)

-- name: ledger_leave
-- rows: key, revision
DELETE FROM ledger USING rows WHERE ledger.key = rows.key AND ledger.revision <= rows.revision AND newer_first IS NULL

-- name: ledger_stay
-- rows: key, revision
-- What has changed since it was taken. late_until stays: a request that may land late is none the less late for what
-- arrived anew.
UPDATE ledger SET first_revision = coalesce(newer_first, rows.revision + 1), since = coalesce(newer_since, since),
  due = 0, attempts = 0, confirm = newer_confirm, approved = newer_approved, in_flight = false, newer_first = NULL,
  newer_since = NULL, newer_confirm = false, newer_approved = false
FROM rows WHERE ledger.key = rows.key AND (ledger.revision > rows.revision OR newer_first IS NOT NULL)

-- name: ledger_set_since
-- rows: key, since
-- Apart from ledger_again, because it moves the entry in the index ledger_since; and before it, because that forgets
-- newer_since.
UPDATE ledger SET since = least(rows.since, coalesce(newer_since, rows.since)) FROM rows WHERE ledger.key = rows.key

-- name: ledger_again
-- rows: key, due, attempts, confirm, late_until, approved
-- What arrived in flight ends the wait, and must not wait for a late request to be over.
UPDATE ledger SET
  due = CASE WHEN rows.attempts > 0 THEN greatest(0.001, least(rows.due, coalesce(newer_since, rows.due)))
    WHEN newer_first IS NULL THEN rows.due ELSE 0 END,
  attempts = rows.attempts, confirm = rows.confirm OR newer_confirm, late_until = rows.late_until,
  approved = rows.approved OR newer_approved, in_flight = false, newer_first = NULL, newer_since = NULL,
  newer_confirm = false, newer_approved = false
FROM rows WHERE ledger.key = rows.key

-- name: ledger_hasten_failing
UPDATE ledger SET due = 0.001 WHERE key IN (
  SELECT key FROM ledger WHERE lane = ANY (:lanes) AND attempts > 0 AND attempts <= :most_attempts AND due > 0.001
  LIMIT :limit)

-- name: ledger_hasten_delayed
-- What is due exactly when nothing can land late any more isn't backing off: it waits for that moment, whether Redo
-- answers or not.
UPDATE ledger SET due = 0 WHERE key IN (
  SELECT key FROM ledger WHERE lane = ANY (:lanes) AND attempts = 0 AND due > 0 AND due IS DISTINCT FROM late_until
  LIMIT :limit)

-- name: ledger_earliest
-- rows: lane
SELECT first.key, first.due FROM rows CROSS JOIN LATERAL (
  SELECT key, due FROM ledger WHERE ledger.lane = rows.lane AND attempts = 0 ORDER BY due, revision LIMIT :page
) AS first

-- name: ledger_earliest_failing
-- rows: lane
SELECT first.key, first.due FROM rows CROSS JOIN LATERAL (
  SELECT key, due FROM ledger WHERE ledger.lane = rows.lane AND attempts > 0 AND due > 0 ORDER BY due LIMIT :page
) AS first

-- name: ledger_not_ahead
-- What only waits until nothing can land late any more counts as waiting since then.
UPDATE ledger SET due = least(due, :longest), late_until = least(late_until, :longest),
  since = CASE WHEN since <= :now THEN since WHEN late_until IS NULL THEN :now ELSE least(since, :longest) END
WHERE due > :longest OR since > :now OR late_until > :longest

-- name: lookup_not_ahead
UPDATE lookup SET since = least(since, :now), latest_since = least(latest_since, :now) WHERE latest_since > :now

-- name: ledger_confirm_in_flight
-- Whoever took these is gone: Redo may hold what was on its way, or take it until late_until.
UPDATE ledger SET confirm = true,
  late_until = CASE WHEN late_until > :late_until THEN late_until ELSE coalesce(:late_until, late_until) END,
  in_flight = false, newer_first = NULL, newer_since = NULL, newer_confirm = false, newer_approved = false
WHERE in_flight

-- name: ledger_late
UPDATE ledger
SET late_until = CASE WHEN late_until > :late_until THEN late_until ELSE coalesce(:late_until, late_until) END
WHERE key = ANY (:keys)

-- name: ledger_late_until
SELECT max(late_until) FROM ledger

-- name: ledger_disapprove
UPDATE ledger SET approved = false, newer_approved = false WHERE approved OR newer_approved

-- name: ledger_forgive
UPDATE ledger SET attempts = 0, due = 0 WHERE attempts > 0


-- Lookups: changed rows whose orders a query has yet to tell.

-- name: lookup_arrive
-- rows: route, columns, first_revision, revision, since, latest_since
INSERT INTO lookup {rows}
ON CONFLICT (route, columns) DO UPDATE SET revision = greatest(lookup.revision, excluded.revision),
  since = least(lookup.since, excluded.since), latest_since = excluded.latest_since

-- name: lookup_oldest_unread
-- A partial index serves this one and the next: https://www.sqlite.org/partialindex.html
SELECT route, cursor FROM lookup WHERE cursor = '' AND NOT (route = ANY (:without))
ORDER BY first_revision, route, columns LIMIT 1

-- name: lookup_oldest_begun
SELECT route, cursor FROM lookup WHERE cursor <> '' AND NOT (route = ANY (:without))
ORDER BY first_revision, route, columns LIMIT 1

-- name: lookup_together
SELECT columns, first_revision, revision, since FROM lookup
WHERE route = :route AND cursor = :cursor ORDER BY first_revision, columns LIMIT :limit

-- name: lookup_continue
-- rows: route, columns, taken bigint, cursor
-- The revision that was taken with the first page becomes the walk's.
UPDATE lookup SET walk_revision = CASE WHEN lookup.cursor = '' THEN rows.taken ELSE walk_revision END,
  cursor = rows.cursor
FROM rows WHERE lookup.route = rows.route AND lookup.columns = rows.columns

-- name: lookup_finish
-- rows: route, columns, taken bigint
DELETE FROM lookup USING rows WHERE lookup.route = rows.route AND lookup.columns = rows.columns
  AND revision <= CASE WHEN cursor = '' THEN rows.taken ELSE walk_revision END

-- name: lookup_restart
-- rows: route, columns, taken bigint
UPDATE lookup SET first_revision = 1 + CASE WHEN cursor = '' THEN rows.taken ELSE walk_revision END,
  since = latest_since, cursor = '', walk_revision = NULL
FROM rows WHERE lookup.route = rows.route AND lookup.columns = rows.columns


-- Checkpoints: what Redo accepted last.

-- name: checkpoint_owners
SELECT store_id, order_id, key FROM checkpoint WHERE NOT missing AND order_id = ANY (:order_ids)

-- name: checkpoint_settled
-- Redo holds these as it accepted them last, and nothing else is to be done about them.
SELECT key, row_digest FROM checkpoint
WHERE key = ANY (:keys) AND NOT missing AND fingerprint <> :unknown AND row_digest <> :unknown
  AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.key = checkpoint.key)
  AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE dead_letter.key = checkpoint.key)
  AND NOT EXISTS (SELECT 1 FROM leftover WHERE leftover.key = checkpoint.key)
  AND NOT EXISTS (SELECT 1 FROM held WHERE held.key = checkpoint.key)

-- name: checkpoint_page
SELECT key FROM checkpoint WHERE NOT missing AND key > :after ORDER BY key LIMIT :limit

-- name: orders_of_ids
-- Under which keys orders are known that have, had or were to get these ids at Redo.
SELECT order_id, key FROM checkpoint WHERE order_id = ANY (:order_ids)
UNION SELECT order_id, key FROM leftover WHERE order_id = ANY (:order_ids)
UNION SELECT order_id, key FROM dead_letter WHERE order_id = ANY (:order_ids)
UNION SELECT order_id, key FROM held WHERE order_id = ANY (:order_ids)

-- name: checkpoint_sample
SELECT key FROM checkpoint WHERE NOT missing ORDER BY random() LIMIT :limit

-- name: checkpoint_keys_before
SELECT key FROM checkpoint WHERE key < :bound ORDER BY key LIMIT :limit

-- name: checkpoint_keys_from
SELECT key FROM checkpoint WHERE key >= :bound ORDER BY key LIMIT :limit

-- name: checkpoint_doubt
-- Redo may hold something else than it accepted last. Of an order in flight that isn't known so far.
UPDATE checkpoint SET fingerprint = :unknown, digest = :unknown WHERE key = ANY (:keys) AND (
  EXISTS (SELECT 1 FROM ledger WHERE ledger.key = checkpoint.key AND (confirm OR late_until IS NOT NULL))
  OR EXISTS (SELECT 1 FROM held WHERE held.key = checkpoint.key AND held.confirm))

-- name: checkpoint_forget_row
UPDATE checkpoint SET row_digest = :unknown WHERE key = ANY (:keys)

-- name: checkpoint_of_leftovers
-- What Redo holds there isn't known, and no order may go without somebody knowing it: where there are several places,
-- the first by order becomes the checkpoint's.
INSERT INTO checkpoint (key, order_id, fingerprint, accepted_at, missing, digest, store_id, traits, row_digest)
SELECT key, order_id, :unknown, :now, false, :unknown, store_id, :unknown, :unknown FROM leftover
WHERE (:all_keys OR key = ANY (:keys))
  AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.key = leftover.key)
  AND NOT EXISTS (SELECT 1 FROM leftover AS other
    WHERE other.key = leftover.key AND (other.order_id, other.store_id) < (leftover.order_id, leftover.store_id))

-- name: checkpoint_former
-- rows: key, store_id, order_id
-- Former keys at the places that orders without a checkpoint claim. One that left the mapping is second choice, and so
-- is one that has had the place longer ago. Found by the order's id: the range of keys is no bound for an index (||).
SELECT rows.key, there.key FROM rows CROSS JOIN LATERAL (
  SELECT key FROM checkpoint
  WHERE checkpoint.store_id = rows.store_id AND checkpoint.order_id = rows.order_id
    AND key || '' >= :first AND key || '' < :end
    AND NOT EXISTS (SELECT 1 FROM checkpoint AS own WHERE own.key = rows.key)
    AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.key = checkpoint.key AND late_until IS NOT NULL)
  ORDER BY missing, accepted_at DESC, key
) AS there


-- Payloads: sealed bodies that Redo accepted. Line items: which orders have one, by a hash of its id.

-- name: payload_drop_strays
-- A payload lives as long as its place is the checkpoint's or a leftover.
DELETE FROM payload WHERE key = ANY (:keys)
  AND NOT EXISTS (SELECT 1 FROM checkpoint AS here WHERE here.key = payload.key
    AND here.store_id = payload.store_id AND here.order_id = payload.order_id)
  AND NOT EXISTS (SELECT 1 FROM leftover AS there WHERE there.key = payload.key
    AND there.store_id = payload.store_id AND there.order_id = payload.order_id)

-- name: payload_sealed
SELECT sealed FROM payload WHERE key = :key AND store_id = :store_id AND order_id = :order_id

-- name: line_item_owners
-- rows: line
-- One short walk for each, because a bad mapping may give a million orders one line item.
SELECT rows.line, part.key FROM rows CROSS JOIN LATERAL (
  SELECT key FROM line_item WHERE line_item.line = rows.line ORDER BY key LIMIT 2
) AS part


-- The reverse index: which orders a child row is part of.

-- name: member_indexes
SELECT name, id FROM member_index WHERE name IS NOT NULL

-- name: member_orders
-- rows: row_key
-- One walk along the primary key for each row, as long as its limit however many orders the row is part of.
SELECT DISTINCT part.key FROM rows CROSS JOIN LATERAL (
  SELECT key FROM member
  WHERE index_id = (SELECT id FROM member_index WHERE name = :name) AND member.row_key = rows.row_key AND key > :after
  ORDER BY key LIMIT :limit
) AS part ORDER BY part.key LIMIT :limit

-- name: member_index_add
-- rows: name
INSERT INTO member_index {rows}

-- name: member_index_retire
UPDATE member_index SET name = NULL WHERE name IS NOT NULL AND name <> ALL (:keep)

-- name: member_index_retired
SELECT id FROM member_index WHERE name IS NULL LIMIT 1

-- name: member_empty
DELETE FROM member WHERE (index_id, row_key, key) IN (
  SELECT index_id, row_key, key FROM member WHERE index_id = :id LIMIT :limit)

-- name: member_index_drop
DELETE FROM member_index WHERE id = :id


-- Holds: orders that aren't pushed until they are known to be few, or a person approves them.

-- name: hold_open
INSERT INTO hold (kind, cause, state, opened_at) VALUES (:kind, :cause, 'gathering', :now) RETURNING number

-- name: hold_forget_ended
DELETE FROM hold WHERE ended AND number <= :number

-- name: holds
SELECT number, kind, cause, state, opened_at, orders FROM hold WHERE NOT ended ORDER BY number

-- name: hold_mark
UPDATE hold SET state = :state, ended = (orders = 0 AND :state = 'held') WHERE number = :number AND NOT ended

-- name: hold_end
UPDATE hold SET ended = true WHERE number = :number AND orders = 0

-- name: hold_end_all
UPDATE hold SET ended = true WHERE NOT ended

-- name: hold_numbers
SELECT number FROM hold WHERE number = ANY (:numbers)

-- name: hold_counts
SELECT state, CAST(sum(orders) AS bigint), count(*) FROM hold WHERE NOT ended AND orders > 0 GROUP BY state

-- name: held_put
-- rows: key, hold, spread, fields, since, confirm, order_id
INSERT INTO held {rows}
ON CONFLICT (key) DO UPDATE SET hold = excluded.hold, fields = excluded.fields, order_id = excluded.order_id,
  since = least(held.since, excluded.since), confirm = held.confirm OR excluded.confirm

-- name: held_spread
SELECT key, since, confirm, order_id FROM held WHERE hold = :number ORDER BY spread LIMIT :limit

-- name: held_fields
SELECT fields, count(*) FROM held WHERE hold = :number GROUP BY fields


-- Dead letters: orders refused for good.

-- name: {table}_bury
-- tables: dead_letter
-- rows: {columns}
INSERT INTO dead_letter {rows}
ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, message = excluded.message, paths = excluded.paths,
  fingerprint = excluded.fingerprint, last_seen = excluded.last_seen,
  attempts = dead_letter.attempts + excluded.attempts, status = excluded.status, cause = excluded.cause,
  store_id = excluded.store_id, letter_group = excluded.letter_group,
  order_id = CASE WHEN excluded.order_id = '' THEN dead_letter.order_id ELSE excluded.order_id END

-- name: letter_forget_unplaced
-- Orders that Redo refused, nobody knows where.
DELETE FROM dead_letter WHERE store_id = '' AND fingerprint IS NOT NULL

-- name: {table}_page
-- tables: dead_letter
SELECT {columns} FROM dead_letter WHERE key > :after ORDER BY key LIMIT :limit

-- name: letter_counts
SELECT reason, count(*) FROM dead_letter GROUP BY reason

-- name: letter_groups
SELECT letter_group, count(*), sum(attempts), min(first_seen), max(last_seen), json_agg(DISTINCT store_id)::text
FROM dead_letter GROUP BY letter_group

-- name: letter_samples
-- rows: name
SELECT rows.name, part.* FROM rows CROSS JOIN LATERAL (
  SELECT key, reason, cause, order_id FROM dead_letter WHERE dead_letter.letter_group = rows.name ORDER BY key LIMIT :limit
) AS part

-- name: letter_keys
SELECT key FROM dead_letter WHERE key > :after ORDER BY key LIMIT :limit

-- name: letter_group_keys
SELECT key FROM dead_letter WHERE letter_group = :name AND key > :after ORDER BY key LIMIT :limit


-- Warnings: rules that orders break which were pushed nevertheless.

-- name: warning_add
-- rows: key, kind, message, first_seen, last_seen, times
INSERT INTO warning {rows}
ON CONFLICT (key, kind) DO UPDATE SET message = excluded.message, last_seen = excluded.last_seen,
  times = warning.times + excluded.times

-- name: warning_outdated
DELETE FROM warning WHERE key = ANY (:keys) AND last_seen < :now AND kind <> ALL (:events)

-- name: warning_forget_oldest
DELETE FROM warning WHERE kind = :kind AND (last_seen, key) <= (
  SELECT last_seen, key FROM warning WHERE kind = :kind ORDER BY last_seen DESC, key DESC LIMIT 1 OFFSET :kept)

-- name: warning_latest
SELECT key, kind, message, first_seen, last_seen, times FROM warning
ORDER BY last_seen DESC, key DESC, kind DESC LIMIT :limit

-- name: warning_counts
SELECT kind, count(*) FROM warning GROUP BY kind


-- Progress: commits that no snapshot has shown, finished sweeps, notes, the highest revision.

-- name: revision_reach
UPDATE census SET highest_revision = :revision WHERE highest_revision < :revision

-- name: revision_highest
SELECT highest_revision FROM census

-- name: commits
SELECT revision, xid, end_lsn FROM unseen ORDER BY revision

-- name: commit_seen
DELETE FROM unseen WHERE revision = ANY (:revisions)

-- name: sweeps
SELECT sweep FROM finished_sweep ORDER BY finished_at DESC, revision DESC, started_at DESC LIMIT :limit

-- name: sweep_forget_oldest
DELETE FROM finished_sweep WHERE (revision, started_at) IN (
  SELECT revision, started_at FROM finished_sweep
  ORDER BY finished_at DESC, revision DESC, started_at DESC LIMIT 1000000000 OFFSET :kept)

-- name: noted
SELECT value FROM note WHERE name = :name


-- Endpoints: which address and store of Redo accepted what is remembered.

-- name: endpoints
SELECT store_id, url, active, approved, CASE WHEN active THEN
  (SELECT count(*) FROM checkpoint WHERE checkpoint.store_id = endpoint.store_id AND NOT missing) ELSE orders END
FROM endpoint ORDER BY store_id, url

-- name: endpoint_active
SELECT store_id, url, id FROM endpoint WHERE active

-- name: endpoint_leave
UPDATE endpoint SET active = false,
  orders = (SELECT count(*) FROM checkpoint WHERE checkpoint.store_id = endpoint.store_id AND NOT missing)
WHERE id = :endpoint

-- name: endpoint_come
INSERT INTO endpoint (store_id, url, active, approved, orders) VALUES (:store_id, :url, true, :approved, 0)
ON CONFLICT (store_id, url) DO UPDATE SET active = true, approved = endpoint.approved OR excluded.approved
RETURNING id

-- name: endpoint_approve
UPDATE endpoint SET approved = true WHERE active AND NOT approved

-- name: {table}_park
-- tables: checkpoint, leftover, payload, dead_letter
INSERT INTO parked_{table} (endpoint, {columns}) SELECT :endpoint, {columns} FROM {table} WHERE store_id = :store_id

-- name: {table}_parked
-- tables: checkpoint, leftover, payload, dead_letter
DELETE FROM {table} WHERE store_id = :store_id

-- name: line_item_park
INSERT INTO parked_line_item (endpoint, line, key) SELECT :endpoint, line, key FROM line_item
WHERE key IN (SELECT key FROM checkpoint WHERE store_id = :store_id)

-- name: line_item_parked
DELETE FROM line_item WHERE key IN (SELECT key FROM checkpoint WHERE store_id = :store_id)

-- name: {table}_bring_back
-- tables: line_item, checkpoint, leftover, payload, dead_letter
INSERT INTO {table} ({columns}) SELECT {columns} FROM parked_{table} WHERE endpoint = :endpoint ON CONFLICT DO NOTHING

-- name: {table}_brought_back
-- tables: line_item, checkpoint, leftover, payload, dead_letter
DELETE FROM parked_{table} WHERE endpoint = :endpoint

-- name: parked_doubt
-- Of the keys that wait for a confirming push, Redo may hold something else than was accepted last.
UPDATE parked_checkpoint SET fingerprint = :unknown, digest = :unknown WHERE endpoint = :endpoint AND (:doubted
  OR key IN (SELECT key FROM ledger WHERE confirm OR in_flight OR late_until IS NOT NULL)
  OR key IN (SELECT key FROM held WHERE confirm))

-- name: parked_doubt_all
UPDATE parked_checkpoint SET fingerprint = :unknown, digest = :unknown WHERE fingerprint <> :unknown

-- name: parked_forget_warnings
DELETE FROM warning WHERE key IN (SELECT key FROM parked_checkpoint WHERE endpoint = :endpoint)

-- name: parked_at_both
-- An order that went to another store meanwhile is at both.
INSERT INTO leftover (key, store_id, order_id) SELECT key, store_id, order_id FROM parked_checkpoint
WHERE endpoint = :endpoint AND NOT missing AND key IN (SELECT key FROM checkpoint) ON CONFLICT DO NOTHING

-- name: parked_open
-- Orders whose outcome was open when the endpoint was left.
SELECT key FROM parked_checkpoint WHERE endpoint = :endpoint AND fingerprint = :unknown
UNION SELECT key FROM parked_leftover WHERE endpoint = :endpoint

-- name: endpoint_requeue
SELECT key, since, confirm FROM held WHERE confirm
UNION ALL SELECT DISTINCT key, CAST(:since AS double precision), false FROM leftover


-- The inbox: what commands ask of a connector.

-- name: request_ask
INSERT INTO request (verb, arguments, asked_at) VALUES (:verb, :arguments, :asked_at) RETURNING number

-- name: request_forget_old
DELETE FROM request WHERE finished_at < :before

-- name: request
SELECT number, verb, arguments, asked_at, state, done, total, message, finished_at FROM request WHERE number = :number

-- name: request_waiting
SELECT EXISTS (SELECT 1 FROM request WHERE state = 'waiting' AND finished_at IS NULL)

-- name: request_next
UPDATE request SET state = 'running' WHERE number = (
  SELECT min(number) FROM request WHERE state = 'waiting' AND finished_at IS NULL
) RETURNING number

-- name: request_finished
SELECT finished_at IS NOT NULL FROM request WHERE number = :number

-- name: request_progress
UPDATE request SET done = :done, total = :total WHERE number = :number

-- name: request_finish
UPDATE request SET state = :state, message = :message, finished_at = :finished_at WHERE number = :number

-- name: request_wait_again
UPDATE request SET state = 'waiting', done = 0, total = NULL WHERE state = 'running'
