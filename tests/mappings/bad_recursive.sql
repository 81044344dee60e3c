WITH RECURSIVE x AS (SELECT order_id FROM shop.note) SELECT o.id FROM shop.orders o JOIN x ON x.order_id = o.id
-- problem 1:16 WITH RECURSIVE is not supported yet
