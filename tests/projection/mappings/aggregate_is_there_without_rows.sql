-- The subquery gives a row even where it reads none, so it joins nothing to anything.
SELECT o.id, c.name
FROM shop.orders o CROSS JOIN shop.customer c
WHERE EXISTS (SELECT count(*) FROM shop.item i WHERE i.product_id = c.id AND i.order_id = o.id)
-- problem 3:31 no way leads from a changed row of shop.customer (alias c) to the orders that it changes: EXISTS of an aggregate is always true, because that gives a row even where it reads none: it joins nothing
-- hint write EXISTS (SELECT FROM ...), without the aggregate; or list "shop.customer" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_exists_of_an_aggregate
