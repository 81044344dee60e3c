SELECT g.id, t.percent FROM shop.gorder g
LEFT JOIN shop.tier t ON t.least = g.customer_id AND (t.most IS NULL OR t.most >= g.region)
-- key shop.gorder(id)
-- g: key id
-- t: reverse least, most via shop.gorder
