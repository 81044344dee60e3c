SELECT o.id, d.body FROM shop.orders o
LEFT JOIN (SELECT DISTINCT ON (n.body) n.order_id AS id, n.body FROM shop.note n ORDER BY n.body, n.order_id) d ON d.id = o.id
-- problem 2:70 no way leads from a changed row of shop.note (alias n) to the orders that it changes: DISTINCT ON chooses among the rows of all orders, as it doesn't name n.order_id
-- hint write DISTINCT ON (n.order_id, ...), and ORDER BY n.order_id, ...; or list "shop.note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_distinct_on_of_all
