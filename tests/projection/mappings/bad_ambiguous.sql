SELECT o.id, name
FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id JOIN shop.vendor v ON v.id = c.id
-- problem 1:14 column name is ambiguous
-- hint write its table before it: alias.name
