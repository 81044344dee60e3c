-- 1 and 1.00 are one group, which is joined by the text of one of them.
SELECT o.id, g.pieces FROM shop.web_order o
LEFT JOIN (SELECT i.price, sum(i.qty) AS pieces FROM shop.item i GROUP BY i.price) g ON g.price::text = o.number_text
-- problem 3:54 no way leads from a changed row of shop.item (alias i) to the orders that it changes: it is joined by what an expression makes of a column after rows with equal values of that were put together, and equal numbers may have several texts (1 and 1.00)
-- hint give the expression a name in a subquery below, and group, choose or partition by that; or list "shop.item" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_text_of_a_grouped_number
