SELECT o.id, t.name FROM shop.web_order o LEFT JOIN shop.turkish t ON btrim(t.email) = btrim(o.email)
-- key shop.web_order(id)
-- o: key id
-- t: reverse email via shop.web_order
