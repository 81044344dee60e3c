SELECT o.id, t.label FROM shop.list_order o LEFT JOIN shop.tag t ON t.id = ANY (o.small_ids)
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
