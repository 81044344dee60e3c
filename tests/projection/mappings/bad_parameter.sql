SELECT o.id FROM shop.orders o WHERE o.status = $1
-- problem 1:38 a mapping has no parameters
-- hint write the value in its place; for @ write abs()
