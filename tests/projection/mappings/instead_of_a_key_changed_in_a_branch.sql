-- The id is made around the union.
SELECT 'A' || u.id AS id FROM (
    SELECT o.id FROM shop.orders o WHERE o.status = 'a' UNION ALL SELECT p.id FROM shop.orders p WHERE p.status = 'b'
) u
-- key shop.orders(id)
-- id A{0}
-- o: key id if status = 'a'
-- p: key id if status = 'b'
