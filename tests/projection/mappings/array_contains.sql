SELECT o.id, t.label, u.label AS other
FROM shop.list_order o
LEFT JOIN shop.tag t ON o.tag_ids @> ARRAY[t.id]
LEFT JOIN shop.tag u ON ARRAY[u.label] <@ o.codes AND u.owner_id = o.id
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
-- u: column owner_id
