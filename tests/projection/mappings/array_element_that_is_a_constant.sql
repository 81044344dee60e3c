-- The element is the tag's number: what is said of one is said of the other.
SELECT o.id, t.label FROM shop.list_order o CROSS JOIN LATERAL unnest(o.tag_ids) AS e(tag) JOIN shop.tag t ON t.id = e.tag WHERE e.tag IN (1, 2)
-- key shop.list_order(id)
-- o: key id
-- t: reverse id if id IN (1, 2) via shop.list_order
