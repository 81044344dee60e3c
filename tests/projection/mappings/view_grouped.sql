SELECT o.id, t.pieces, t.count FROM shop.orders o LEFT JOIN shop.item_totals t ON t.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- item: column order_id
