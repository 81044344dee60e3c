SELECT o.id FROM shop.orders o FOR UPDATE
-- problem 1:8 FOR UPDATE and FOR SHARE are not supported in a mapping
-- hint leave it out
