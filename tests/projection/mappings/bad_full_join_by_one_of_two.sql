-- It parses, and the server has no plan for it.
SELECT o.id, a.city FROM shop.aorder o FULL JOIN shop.address a ON a.id IN (o.ship_id, o.bill_id)
-- problem 1:1 FULL JOIN is only supported with merge-joinable or hash-joinable join conditions
-- hint run it in psql: the server plans it for nobody (a FULL JOIN needs an = between its two sides)
