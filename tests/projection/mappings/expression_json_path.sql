SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member m ON (m.meta #>> '{in,ids,0}') = (o.meta -> 'in' -> 'ids' ->> 0) AND m.meta -> 'id' = o.meta -> 'id'
-- key shop.web_order(id)
-- o: key id
-- m: reverse meta via shop.web_order
