SELECT o.id, @ o.total AS total FROM shop.orders o
-- problem 1:18 a mapping has no parameters
-- hint write the value in its place; for @ write abs()
