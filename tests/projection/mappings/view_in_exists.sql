SELECT o.id FROM shop.orders o WHERE EXISTS (SELECT FROM shop.item_totals t WHERE t.order_id = o.id AND t.pieces > 2)
-- key shop.orders(id)
-- o: key id
-- item: column order_id
