SELECT o.id, s.last_value FROM shop.orders o CROSS JOIN shop.numbers s
-- problem 1:57 shop.numbers is a sequence, no table
-- hint name a table or a view
