UPDATE shop.orders SET status = 'x'
-- problem 1:1 this is not a SELECT but UPDATE
-- hint the mapping is one SELECT
