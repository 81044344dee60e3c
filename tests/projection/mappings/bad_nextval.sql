SELECT o.id, nextval('shop.numbers') AS n FROM shop.orders o
-- problem 1:14 nextval() answers anew
