SELECT j.id FROM (shop.orders o JOIN shop.note n ON n.order_id = o.id) AS j
-- problem 1:19 an alias for a join in parentheses is not supported
-- hint leave the alias out
