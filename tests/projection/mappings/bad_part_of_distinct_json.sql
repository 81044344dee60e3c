SELECT o.id, d.name FROM shop.web_order o
JOIN (SELECT m.meta, m.name FROM shop.member m UNION SELECT v.meta, v.ref FROM shop.member v) d ON d.meta ->> 'id' = o.number_text
-- problem 2:34 no way leads from a changed row of shop.member (alias m) or shop.member (alias v) to the orders that it changes: it is joined by what an expression makes of a column after rows with equal values of that were put together, and equal numbers may have several texts (1 and 1.00)
-- hint give the expression a name in a subquery below, and group, choose or partition by that; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_part_of_distinct_json
