SELECT o.id, 'now'::timestamp - o.placed AS age FROM shop.orders o
-- problem 1:33 'now' in the payload
