SELECT DISTINCT ON (g.customer_id) g.id, rank() OVER (PARTITION BY g.region ORDER BY g.placed) AS r
FROM shop.gorder g ORDER BY g.customer_id, r
-- problem 2:6 no way leads from a changed row of shop.gorder (alias g) to the orders that it changes: DISTINCT ON and a window put rows of several orders together, by different columns
-- hint name the same columns in DISTINCT ON and in each PARTITION BY; or list "shop.gorder" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_distinct_on_by_another_window
