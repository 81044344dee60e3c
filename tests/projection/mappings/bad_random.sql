SELECT o.id FROM shop.orders o WHERE random() < 0.5
-- problem 1:38 random() answers anew on each call
