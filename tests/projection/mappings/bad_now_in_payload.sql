SELECT o.id, o.status,
    now() AS seen FROM shop.orders o
-- problem 2:5 now() in the payload: every order would differ at every look
-- hint take the time from a column; in conditions it may stay
