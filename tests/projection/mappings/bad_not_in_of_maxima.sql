SELECT o.id, s.carrier
FROM shop.orders o
JOIN shop.shipment s ON s.order_id = o.id
WHERE s.id NOT IN (SELECT max(x.id) FROM shop.shipment x GROUP BY x.order_id)
-- problem 4:42 no way leads from a changed row of shop.shipment (alias x) to the orders that it changes: NOT IN (SELECT ...) is NULL for every order as soon as one row gives NULL, and a column here may be NULL
-- hint write NOT EXISTS (SELECT FROM (SELECT ...) AS m WHERE m.column = ...); or list "shop.shipment" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_not_in_of_maxima
