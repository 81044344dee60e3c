WITH RECURSIVE x AS (SELECT order_id FROM shop.note) SELECT o.id FROM shop.orders o JOIN x ON x.order_id = o.id
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- note: column order_id
