SELECT o.id, c.name
FROM shop.orders o
JOIN shop.customer c ON c.id < o.customer_id
-- problem 3:6 no way leads from a changed row of shop.customer (alias c) to the orders that it changes: `c.id < o.customer_id` is no equality: rows of any order may meet it
-- hint put an = between columns of the two beside it (rates: r.currency = o.currency AND r.valid_from <= o.placed); or list "shop.customer" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead rate_valid_from
