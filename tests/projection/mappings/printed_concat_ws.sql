-- NULL is left out together with the separator before it.
SELECT o.id, m.name, n.body, x.body AS other
FROM shop.web_order o
LEFT JOIN shop.member m ON concat_ws(',', 'none', m.external_id) = o.vref
LEFT JOIN shop.member_note n ON concat_ws(',', 'sale.line', n.member_id) = o.ref
LEFT JOIN shop.member_note x ON x.body = concat_ws('', o.id, o.external_id)
-- key shop.web_order(id)
-- m: reverse external_id via shop.web_order
-- n: reverse member_id via shop.web_order
-- o: key id
-- x: reverse body via shop.web_order
