-- The last order of each customer.
SELECT DISTINCT ON (g.customer_id) g.id, g.memo FROM shop.gorder g ORDER BY g.customer_id, g.placed DESC NULLS LAST, g.id
-- key shop.gorder(id)
-- restricted 2
-- g: key id
-- g: reverse customer_id via shop.gorder
