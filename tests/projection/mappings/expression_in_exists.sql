SELECT o.id, o.ref
FROM shop.web_order o
WHERE EXISTS (SELECT FROM shop.member m WHERE md5(m.ref) = md5(o.ref))
   AND NOT EXISTS (SELECT FROM shop.member_note n WHERE n.id + 1 = o.external_id - 1)
-- key shop.web_order(id)
-- o: key id
-- m: reverse ref via shop.web_order
-- n: reverse id via shop.web_order
