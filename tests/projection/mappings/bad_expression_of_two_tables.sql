SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.email || o.email = o.ref
-- problem 1:53 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `m.email || o.email` is made of columns of several tables
-- hint keep to one table's columns on each side of =; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_an_expression_of_two_tables
