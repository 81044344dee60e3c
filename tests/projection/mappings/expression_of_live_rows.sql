SELECT o.id, m.name, n.body FROM shop.web_order o
LEFT JOIN shop.member m ON lower(m.email) = lower(o.email) AND m.grade = 'high' AND m.external_id IS NOT NULL
LEFT JOIN shop.member_note n ON coalesce(n.email, 'none') = coalesce(o.vref, 'none') AND n.body IS NULL AND n.member_id = 1
-- key shop.web_order(id)
-- o: key id
-- m: reverse email if external_id IS NOT NULL AND grade = 'high' via shop.web_order
-- n: reverse email if member_id = 1 AND body IS NULL via shop.web_order
