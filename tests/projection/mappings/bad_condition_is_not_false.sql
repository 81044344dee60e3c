SELECT o.id, (SELECT count(*) FROM shop.member m WHERE (m.email = o.email) IS NOT FALSE) AS n FROM shop.web_order o
-- problem 1:36 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `(m.email = o.email) IS NOT FALSE` is true where a side is NULL, too, which it may be in any row
-- hint leave IS NOT FALSE out, or write IS TRUE; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead condition_is_true
