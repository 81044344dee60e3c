SELECT o.id, g.card, g.qty FROM shop.orders o LEFT JOIN shop.gift_line g ON g.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- g: column order_id
-- g: column order_id
