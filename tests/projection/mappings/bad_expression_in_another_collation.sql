SELECT o.id, t.name FROM shop.web_order o LEFT JOIN shop.turkish t ON lower(t.email) = o.email
-- problem 1:53 no way leads from a changed row of shop.turkish (alias t) to the orders that it changes: `LOWER(t.email)` is computed in the column's own collation, which is another one than the database's
-- hint keep its value in a column and join by that; followed are plain columns, and the expressions that the mapping guide lists (`lower`, `->>`, `||`, `coalesce`, casts); or list "shop.turkish" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_join_in_another_collation
