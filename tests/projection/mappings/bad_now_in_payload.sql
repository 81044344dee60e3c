SELECT o.id, o.status,
    now() AS seen FROM shop.orders o
-- problem 2:5 now() in the payload
