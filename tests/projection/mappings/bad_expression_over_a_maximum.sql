SELECT o.id, m.name
FROM shop.web_order o
JOIN (SELECT n.email, max(n.id) AS id FROM shop.member_note n GROUP BY n.email) l ON l.email = o.email
JOIN shop.member m ON m.ref = 'sale.line,' || l.id
-- problem 4:6 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `'sale.line,' || l.id` is an expression over `l.id`, which is max or min of a column
-- hint join the row that has `l.id` first, and write the expression over that row's column; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_an_expression_over_a_maximum
