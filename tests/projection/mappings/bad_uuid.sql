SELECT o.id, gen_random_uuid() AS token FROM shop.orders o
-- problem 1:14 gen_random_uuid() answers anew
