SELECT o.id,
       o.stattus
FROM shop.orders o
-- problem 2:8 o has no column stattus
-- hint did you mean status?
