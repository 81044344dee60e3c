-- NULL is taken for false, so that rows with NULL count for nothing.
SELECT o.id, coalesce(o.external_id IN (SELECT n.member_id FROM shop.member_note n), false) AS noted
FROM shop.web_order o
WHERE (o.external_id IN (SELECT m.external_id FROM shop.member m WHERE m.name = 'a')) IS NOT TRUE
-- key shop.web_order(id)
-- m: reverse external_id if name = 'a' via shop.web_order
-- n: reverse member_id via shop.web_order
-- o: key id
