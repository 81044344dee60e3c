SELECT o.id, a.city FROM shop.aorder o
LEFT JOIN shop.address a ON CASE WHEN o.kind = 'x' THEN a.id = o.ship_id ELSE initcap(a.city) = o.kind END
-- problem 2:11 no way leads from a changed row of shop.address (alias a) to the orders that it changes: `CASE WHEN o.kind = 'x' THEN a.id = o.ship_id ELSE INITCAP(a.city) = o.kind END` leaves a choice, and not each alternative is an = that joins it
-- hint write a LEFT JOIN for each alternative, with = on its own, and coalesce(one.column, other.column); or list "shop.address" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_choice
