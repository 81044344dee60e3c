-- Two elements of one array: neither tag equals the other.
SELECT o.id, t.label, u.code
FROM shop.list_order o
JOIN shop.tag t ON t.id = ANY (o.tag_ids)
JOIN shop.tag u ON u.id = ANY (o.tag_ids)
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
-- u: reverse id via shop.list_order
