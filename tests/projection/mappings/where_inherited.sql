SELECT o.id, b.qty, g.card FROM shop.orders o LEFT JOIN shop.base_line b ON b.order_id = o.id AND b.qty = 1
LEFT JOIN shop.gift_line g ON g.order_id = o.id AND g.card IN ('a', 'b')
-- key shop.orders(id)
-- o: key id
-- b: column order_id if qty = 1
-- b: column order_id if qty = 1
-- g: column order_id if card IN ('a', 'b')
-- b: column order_id if qty = 1
-- g: column order_id if card IN ('a', 'b')
