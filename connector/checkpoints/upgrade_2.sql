-- Version 2 of the checkpoint file: the reverse index, what an accepted order looked like field by field, and lookups
-- found by whether their walk has begun.

-- The reverse index's parts by name, each a small number in `member`. Without a name: given up, its rows are on their
-- way out, and a later part of that name is another one.
CREATE TABLE member_index (
  id   INTEGER PRIMARY KEY,
  name TEXT UNIQUE
);

-- Which orders a child row is part of. The index serves the other direction and holds nothing but the primary key.
CREATE TABLE member (
  index_id  INTEGER NOT NULL,
  row_key   TEXT NOT NULL,
  order_key TEXT NOT NULL,
  PRIMARY KEY (index_id, row_key, order_key)
) WITHOUT ROWID;
CREATE INDEX member_order ON member (order_key);

-- Empty: not known, as for every order that was accepted before.
ALTER TABLE checkpoint ADD COLUMN digest BLOB NOT NULL DEFAULT x'';

DROP INDEX lookup_next;
CREATE INDEX lookup_unread ON lookup (first_revision) WHERE cursor IS NULL;
CREATE INDEX lookup_begun ON lookup (first_revision) WHERE cursor IS NOT NULL;
