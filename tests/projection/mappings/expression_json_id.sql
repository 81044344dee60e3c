SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.id::text = o.meta ->> 'id'
-- key shop.web_order(id)
-- o: key id
-- m: reverse id via shop.web_order
