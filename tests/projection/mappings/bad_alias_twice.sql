SELECT o.id FROM shop.orders o JOIN shop.customer o ON o.id = o.customer_id
-- problem 1:37 table name o is used more than once
-- hint give each an alias
