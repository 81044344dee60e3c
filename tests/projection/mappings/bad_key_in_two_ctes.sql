-- order_key: shop.orders(id)
WITH base AS (SELECT o.id FROM shop.orders o) SELECT a.id FROM base a JOIN base b ON b.id = a.id
-- problem 1:15 order_key: shop.orders is read more than once in the mapping's FROM
-- hint the key must come from one table read once
