SELECT v.id, v.total FROM shop.totals_by_function v
-- problem 1:1 the function order_total may read tables
