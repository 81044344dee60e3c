SELECT o.id,
  o.status)
FROM shop.orders o
-- problem 2:11 syntax error at or near ')'
-- hint mend it there or just before; psql shows what the server makes of the query
