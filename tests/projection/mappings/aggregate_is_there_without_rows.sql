-- The subquery gives a row even where it reads none, so it joins nothing to anything.
SELECT o.id, c.name
FROM shop.orders o CROSS JOIN shop.customer c
WHERE EXISTS (SELECT count(*) FROM shop.item i WHERE i.product_id = c.id AND i.order_id = o.id)
-- problem 3:31 no way leads from a changed row of shop.customer
