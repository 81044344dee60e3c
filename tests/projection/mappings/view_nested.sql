SELECT o.id, n.pieces, n.names FROM shop.orders o JOIN shop.item_names n ON n.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- item: column order_id
-- i: column order_id
-- p: reverse id via shop.item
