SELECT o.id, v.name FROM shop.orders o JOIN shop.carrier_of v ON v.name < o.status
-- problem 1:45 no way leads from a changed row of shop.shipment (alias s) or shop.carrier (alias c) to the orders that it changes (in view shop.carrier_of): `v.name < o.status` is no equality: rows of any order may meet it
-- hint put an = between columns of the two beside it (rates: r.currency = o.currency AND r.valid_from <= o.placed); or list "shop.shipment", "shop.carrier" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead rate_valid_from
