SELECT o.id, i$x.qty, '$' || o.status || $t$ ] -- $t$ AS note, E'\'$' AS mark
FROM shop.orders o LEFT JOIN(SELECT order_id, qty FROM shop.item)i$x ON i$x.order_id = o.id /* $ [ /* ' */ */
-- key shop.orders(id)
-- o: key id
-- item: column order_id
-- restricted 2
