SELECT o.id, o.memo FROM shop.gorder o JOIN (SELECT max(x.id) AS id FROM shop.gorder x GROUP BY x.customer_id) l ON l.id = o.id
-- problem 1:74 no way leads from a changed row of shop.gorder (alias x) to the orders that it changes: `l.id` is max or min of rows that nothing else joins to the order, and each of them may change it
-- hint join by what they are grouped by, too: (x.parent_id, x.id) IN (SELECT parent_id, max(id) ... GROUP BY parent_id); or say in the subquery's WHERE, with =, whose its rows are; or list "shop.gorder" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead latest_order_of_a_customer
