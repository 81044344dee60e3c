SELECT o.id, n.body, x.body AS without_padding
FROM shop.web_order o
LEFT JOIN shop.gid_note n ON n.gid = encode(convert_to('Order:' || o.id, 'UTF8'), 'base64')
LEFT JOIN shop.gid_note x ON rtrim(x.gid, '=') = rtrim(encode(concat('Order:', o.external_id)::bytea, 'base64'), '=')
-- key shop.web_order(id)
-- n: reverse gid via shop.web_order
-- o: key id
-- x: reverse gid via shop.web_order
