SELECT o.id, w.nth FROM shop.web_order o
JOIN (SELECT i.price, rank() OVER (PARTITION BY i.price ORDER BY i.qty) AS nth FROM shop.item i) w ON w.price::text = o.number_text
-- problem 2:85 no way leads from a changed row of shop.item (alias i) to the orders that it changes: it is joined by what an expression makes of a column after rows with equal values of that were put together, and equal numbers may have several texts (1 and 1.00)
-- hint give the expression a name in a subquery below, and group, choose or partition by that; or list "shop.item" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_text_of_a_numbers_window
