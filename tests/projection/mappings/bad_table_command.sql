SELECT o.id, x.body FROM shop.orders o JOIN (TABLE shop.note) x ON x.order_id = o.id
-- problem 1:46 TABLE is not supported
-- hint write (SELECT * FROM the table)
