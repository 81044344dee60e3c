SELECT o.id, x.place, y.body FROM shop.orders o
LEFT JOIN shop.ranked_notes x ON x.order_id = o.id
LEFT JOIN shop.ranked_notes y ON y.order_id = o.id
-- problem 2:11 no way leads from a changed row of shop.note (alias n) to the orders that it changes (in view shop.ranked_notes): a window sees the rows of all orders, as its PARTITION BY doesn't name n.order_id
-- hint write OVER (PARTITION BY n.order_id, ...); or list "shop.note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_window_of_all
