-- It holds where a side is NULL.
SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON coalesce(m.email = o.email, true)
-- problem 2:53 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `COALESCE(m.email = o.email, TRUE)` is no equality: rows of any order may meet it
-- hint put an = between columns of the two beside it (rates: r.currency = o.currency AND r.valid_from <= o.placed); or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead condition_or_false
