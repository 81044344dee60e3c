SELECT w.id, m.name FROM shop.web_order w
JOIN shop.member m ON m.id = ANY (SELECT max(n.member_id) FROM shop.member_note n WHERE n.id = w.external_id)
-- problem 2:6 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `(SELECT MAX(n.member_id) FROM shop.member_note AS n WHERE n.id = w.external_id)` computes its value, and no lookup finds the rows behind it
-- hint let it give a plain column: SELECT x.id ... ORDER BY x.id DESC LIMIT 1 instead of max(x.id); or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_scalar_maximum
