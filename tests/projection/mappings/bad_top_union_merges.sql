SELECT 'x' || o.id AS id FROM shop.orders o UNION SELECT 'x' || p.id FROM shop.orders p
-- problem 1:15 id can't be traced to a table's columns through the union
-- hint let each branch give the key as a plain column at the same place, and compute id around the union: SELECT 'A' || u.key AS id FROM (SELECT o.key ... UNION ALL SELECT o.key ...) u
-- instead instead_of_a_key_changed_in_a_branch
