SELECT v.id, v.total FROM shop.totals_by_function v
-- problem 1:1 the function order_total may read tables whose changes could not be followed: it reads tables
-- hint declare it IMMUTABLE if it reads no table, or write its tables into the mapping
