-- Version 2 of the checkpoint schema, the equal of version 5 of the file: which address and store of Redo accepted what.

-- Where orders are pushed to (active), or were once: `orders` is then how many were accepted there.
CREATE TABLE endpoint (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store_id text COLLATE "C" NOT NULL,
  url      text COLLATE "C" NOT NULL,
  active   boolean NOT NULL,
  approved boolean NOT NULL,
  orders   bigint NOT NULL,
  UNIQUE (store_id, url)
);

-- What endpoints hold that aren't active: the columns of the tables that hold it while they are.
CREATE TABLE parked_checkpoint (endpoint bigint NOT NULL, LIKE checkpoint, PRIMARY KEY (endpoint, key));
CREATE TABLE parked_leftover (endpoint bigint NOT NULL, LIKE leftover, PRIMARY KEY (endpoint, key, store_id, order_id));
CREATE TABLE parked_payload (
  endpoint bigint NOT NULL, LIKE payload INCLUDING STORAGE, PRIMARY KEY (endpoint, key, store_id, order_id)
);
CREATE TABLE parked_line_item (endpoint bigint NOT NULL, LIKE line_item, PRIMARY KEY (endpoint, line, order_key));
CREATE TABLE parked_dead_letter (endpoint bigint NOT NULL, LIKE dead_letter, PRIMARY KEY (endpoint, key));
