SELECT o.id FROM shop.orders o NATURAL JOIN shop.customer c
-- problem 1:45 NATURAL JOIN is not supported
