SELECT o.id FROM shop.orders o NATURAL JOIN jsonb_each(o.data) e
-- problem 1:56 NATURAL JOIN of a function or of unnamed columns is not supported
-- hint use USING
