SELECT o.id, m.name, n.body
FROM shop.web_order o
LEFT JOIN shop.member m ON m.ref = format('sale.line,%s', o.external_id)
LEFT JOIN shop.member_note n ON format('%s%s', n.member_id, '') = o.number_text
-- key shop.web_order(id)
-- m: reverse ref via shop.web_order
-- n: reverse member_id via shop.web_order
-- o: key id
