SELECT o.id, t.label FROM shop.list_order o JOIN shop.tag t ON NOT t.id = ANY (o.tag_ids)
-- problem 1:50 no way leads
