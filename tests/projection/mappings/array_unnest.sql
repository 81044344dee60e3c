SELECT o.id, string_agg(t.label, ',' ORDER BY e.place, t.id) AS tags
FROM shop.list_order o
CROSS JOIN LATERAL unnest(o.tag_ids) WITH ORDINALITY AS e(id, place)
JOIN shop.tag t ON t.id = e.id
GROUP BY o.id
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
