SELECT o.id, r.x FROM shop.orders o JOIN shop.remote r ON r.order_id = o.id
-- problem 1:42 shop.remote is a foreign table, whose changes are not streamed
-- hint keep what you need of it in a table of this database, or list "shop.remote" in mapping.sweep_tables: then only a reconcile notices its changes
