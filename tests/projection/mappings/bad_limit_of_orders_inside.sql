SELECT o.id FROM (SELECT x.id FROM shop.orders x ORDER BY x.id LIMIT 10) o
-- problem 1:26 LIMIT, OFFSET or FETCH counts the rows of all orders together: orders can't be read one by one by shop.orders.id
-- hint leave it out; WHERE says which orders there are
