SELECT o.id FROM shop.orders o JOIN (
    SELECT n.order_id AS x FROM shop.note n UNION ALL SELECT i.price * 1.5 FROM shop.item i
) u ON u.x = o.id
-- problem 2:33 no way leads from a changed row of shop.note (alias n) or shop.item (alias i) to the orders that it changes: `u.x` is computed in the query that gives it, in a way that isn't followed
-- hint let that query give a plain column, of one type in all branches of a union; or list "shop.note", "shop.item" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead union_widens_numbers
