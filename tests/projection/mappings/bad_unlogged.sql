SELECT o.id, s.x FROM shop.orders o JOIN shop.scratch s ON s.order_id = o.id
-- problem 1:42 shop.scratch is not logged, so no change of it is in the WAL
-- hint ALTER TABLE "shop"."scratch" SET LOGGED, or list "shop.scratch" in mapping.sweep_tables: then only a reconcile notices its changes
