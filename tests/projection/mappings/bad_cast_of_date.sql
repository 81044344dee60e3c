SELECT o.id, c.name FROM shop.orders o JOIN shop.customer c ON c.name = o.placed::text
-- problem 1:45 no way leads from a changed row of shop.customer
