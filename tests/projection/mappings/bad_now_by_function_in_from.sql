SELECT o.id, d FROM shop.orders o CROSS JOIN generate_series(o.placed, now()::timestamp, interval '1 day') d
-- problem 1:72 now() in the payload: every order would differ at every look
-- hint take the time from a column; in conditions it may stay
