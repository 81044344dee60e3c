SELECT v.id, v.seen FROM shop.stamped v
-- problem 1:26 now() in the payload: every order would differ at every look
-- hint take the time from a column; in conditions it may stay
