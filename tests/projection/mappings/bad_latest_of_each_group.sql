SELECT o.id, s.carrier FROM shop.orders o JOIN shop.shipment s ON s.order_id = o.id
WHERE s.id IN (SELECT max(x.id) FROM shop.shipment x GROUP BY x.order_id)
-- problem 2:38 no way leads from a changed row of shop.shipment (alias x) to the orders that it changes: `(SELECT MAX(x.id) FROM shop.shipment AS x GROUP BY x.order_id)` is max or min of rows that nothing else joins to the order, and each of them may change it
-- hint join by what they are grouped by, too: (x.parent_id, x.id) IN (SELECT parent_id, max(id) ... GROUP BY parent_id); or say in the subquery's WHERE, with =, whose its rows are; or list "shop.shipment" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead latest_by_group_and_maximum
