SELECT o.id, z.status FROM shop.orders o
-- problem 1:14 there is no table or alias z here
-- hint name one of FROM's
