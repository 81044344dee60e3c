SELECT l.id, l.qty FROM shop.base_line l
-- key shop.base_line(id)
-- l: key id
-- l: key id
-- l: key id
