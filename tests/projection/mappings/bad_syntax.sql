SELECT o.id,
  o.status)
FROM shop.orders o
-- problem 2:11 syntax error at or near ')'
