SELECT o.id FROM shop.orders o WHERE random() < 0.5
-- problem 1:38 random() answers anew on each call: the order would differ at every look
-- hint take it from a column instead
