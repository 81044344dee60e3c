SELECT o.id FROM shop.orders o LIMIT 10
-- problem 1:8 LIMIT, OFFSET or FETCH at the top would leave orders out
-- hint leave it out; WHERE says which orders there are
