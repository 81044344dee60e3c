WITH t AS (SELECT current_date AS today, 1 AS one), u AS (SELECT t.today AS day FROM t)
SELECT o.id, o.placed < u.day AS late, u.day FROM shop.orders o, u
-- problem 1:19 current_date in the payload: every order would differ at every look
-- hint take the time from a column; in conditions it may stay
