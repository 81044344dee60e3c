SELECT o.id, shop.token() AS token FROM shop.orders o
-- problem 1:19 token() answers anew on each call: the order would differ at every look
-- hint take it from a column instead
