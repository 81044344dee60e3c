-- One use of the table has a way, the other hasn't.
SELECT o.id, c.name, (SELECT max(x.id) FROM shop.customer x) AS newest FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id
-- sweep_tables shop.customer shop.vendor
-- warning mapping.sweep_tables the mapping doesn't read shop.vendor
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
-- x: sweep 
