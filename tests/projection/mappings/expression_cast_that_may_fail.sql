-- Every text of the column is a number, or NULL: the mapping fails on others, and no route may.
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member m ON nullif(m.number_text, '')::bigint = o.id
LEFT JOIN shop.member_note n ON n.id = nullif(o.number_text, '')::bigint
-- key shop.web_order(id)
-- o: key id
-- m: reverse number_text via shop.web_order
-- n: reverse id via shop.web_order
