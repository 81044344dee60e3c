SELECT o.id, extract(day FROM age(o.placed)) AS days FROM shop.orders o
-- problem 1:31 age() in the payload: every order would differ at every look
-- hint take the time from a column; in conditions it may stay
