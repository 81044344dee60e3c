-- A tier that is too high takes the place of none at all, which would pass.
SELECT g.id, d.percent FROM shop.gorder g
JOIN (
    SELECT c.id, t.percent, t.most FROM shop.customer c LEFT JOIN shop.tier t ON t.least = c.id
) d ON d.id = g.customer_id AND (d.most IS NULL OR g.region < d.most)
-- key shop.gorder(id)
-- c: reverse id via shop.gorder
-- g: key id
-- t: reverse least via shop.customer, shop.gorder
