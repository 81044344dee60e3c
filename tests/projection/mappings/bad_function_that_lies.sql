SELECT o.id, shop.lying_total(o.id) AS total FROM shop.orders o
-- problem 1:19 the function lying_total may read tables whose changes could not be followed: it reads tables
