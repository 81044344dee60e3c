-- A row of either table makes a difference under both arms, and a way leads from it under one.
SELECT o.id, l.sku, b.address_id FROM shop.aorder o, shop.aline l, shop.blocked b, shop.address a
WHERE (l.order_id = o.id AND l.origin_id = a.id) OR (b.aorder_id = o.id AND b.address_id = a.id)
-- problem 2:54 no way leads from a changed row of shop.aline (alias l) or shop.blocked (alias b) to the orders that it changes: `(l.order_id = o.id AND l.origin_id = a.id) OR (b.aorder_id = o.id AND b.address_...` leaves a choice, and not each alternative is an = that joins it
-- hint write a LEFT JOIN for each alternative, with = on its own, and coalesce(one.column, other.column); or list "shop.aline", "shop.blocked" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_choice
