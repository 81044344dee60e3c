SELECT v.id FROM shop.order_copy v
-- problem 1:18 shop.order_copy is a materialized view, whose changes are not streamed
-- hint name the tables behind it, or list "shop.order_copy" in mapping.sweep_tables: then only a reconcile notices its changes
