SELECT 'A' || u.id AS id FROM (SELECT o.id FROM shop.orders o UNION ALL SELECT p.id + 0 FROM shop.orders p) u
-- problem 1:15 id can't be traced to a table's columns through the union
-- hint let each branch give the key as a plain column at the same place, and compute id around the union: SELECT 'A' || u.key AS id FROM (SELECT o.key ... UNION ALL SELECT o.key ...) u
-- instead instead_of_a_key_changed_in_a_branch
