SELECT w.id, m.name FROM shop.web_order w
JOIN shop.member m ON m.id = ANY (SELECT max(n.member_id) FROM shop.member_note n WHERE n.id = w.external_id)
-- key shop.web_order(id)
-- m: reverse id via shop.member_note, shop.web_order
-- n: reverse id via shop.web_order
-- w: key id
