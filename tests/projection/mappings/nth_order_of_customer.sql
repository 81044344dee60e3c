-- The rank needs all orders of the customer, so the CTE must not be restricted to the asked ones.
WITH ranked AS (
    SELECT o2.id, o2.customer_id, rank() OVER (PARTITION BY o2.customer_id ORDER BY o2.placed, o2.id) AS nth FROM shop.orders o2
)
SELECT o.id, r.nth FROM shop.orders o JOIN ranked r ON r.id = o.id AND r.customer_id = o.customer_id
-- key shop.orders(id)
-- restricted 1
-- o: key id
-- o2: reverse customer_id via shop.orders
