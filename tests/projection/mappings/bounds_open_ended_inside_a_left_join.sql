-- A tier that is too high takes the place of none at all, which would pass.
SELECT g.id, d.percent FROM shop.gorder g
JOIN (
    SELECT m.external_id, t.percent, t.most FROM shop.member m LEFT JOIN shop.tier t ON t.least = m.external_id AND t.percent IN (2, 4)
) d ON d.external_id = g.customer_id AND (d.most IS NULL OR g.region < d.most)
-- key shop.gorder(id)
-- g: key id
-- m: reverse external_id via shop.gorder
-- t: reverse least if percent IN (2, 4) via shop.gorder
