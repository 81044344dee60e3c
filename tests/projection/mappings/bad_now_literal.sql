SELECT o.id, 'now'::timestamp - o.placed AS age FROM shop.orders o
-- problem 1:33 'now' in the payload: every order would differ at every look
-- hint take the time from a column; in conditions it may stay
