-- An order without tags is one, too; and the tag leads on to its notes.
SELECT o.id, t.label, n.body
FROM shop.list_order o
LEFT JOIN LATERAL unnest(o.tag_ids) AS e(id) ON true
LEFT JOIN shop.tag t ON t.id = e.id
LEFT JOIN shop.tag_note n ON n.tag_code = t.code
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
-- n: reverse tag_code via shop.tag, shop.list_order
