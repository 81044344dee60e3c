WITH member AS (SELECT lower(email) AS key, name, id::text AS text_id FROM shop.member),
  web AS (SELECT *, lower(email) AS key FROM shop.web_order)
SELECT w.id, m.name, t.name AS other
FROM web w
LEFT JOIN member m ON m.key = w.key
LEFT JOIN member t ON left(t.text_id, 3) = w.ref
-- key shop.web_order(id)
-- web_order: key id
-- member: reverse email via shop.web_order
-- member: reverse id via shop.web_order
