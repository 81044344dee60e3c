SELECT o.id, o.status AS x, o.total AS x FROM shop.orders o
-- problem 1:1 output columns of the same name: x
-- hint give each its own name with AS
