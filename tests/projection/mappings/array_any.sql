SELECT o.id, (SELECT string_agg(t.label, ',' ORDER BY t.id) FROM shop.tag t WHERE t.id = ANY (o.tag_ids)) AS tags
FROM shop.list_order o
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
