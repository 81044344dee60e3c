SELECT o.id, gen_random_uuid() AS token FROM shop.orders o
-- problem 1:14 gen_random_uuid() answers anew on each call: the order would differ at every look
-- hint take it from a column instead
