SELECT o.id, t.label, p.name FROM shop.list_order o
LEFT JOIN shop.tag t ON t.id = ANY (o.tag_ids) AND t.code = 'a'
LEFT JOIN shop.promotion p ON p.id = ANY (o.small_ids) AND p.kind IN ('a', 'x') AND p.deleted_at IS NULL
-- key shop.list_order(id)
-- o: key id
-- t: reverse id if code = 'a' via shop.list_order
-- p: reverse id if kind IN ('a', 'x') AND deleted_at IS NULL via shop.list_order
