SELECT o.id, w.name FROM shop.turkish w JOIN shop.weighed o ON w.id = o.weight
-- problem 1:26 no way leads from a changed row of shop.turkish (alias w) to the orders that it changes: `w.id = o.weight` compares int8 with float8, which a lookup may do otherwise
-- hint join by columns of one type: keep the value in a column of the other one's type; or list "shop.turkish" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead join_customer
