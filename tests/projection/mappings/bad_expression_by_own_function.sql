SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON shop.folded(m.email) = o.email
-- problem 1:53 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `shop.folded(m.email)` calls folded, a function of your own, which may answer otherwise one day
-- hint write it with built-in functions, or keep its result in a column and join by that; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead expression_lower
-- instead join_customer
