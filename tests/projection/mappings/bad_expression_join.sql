SELECT o.id FROM shop.orders o JOIN shop.customer c ON initcap(c.name) = o.status
-- problem 1:37 no way leads
