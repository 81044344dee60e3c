-- A letter may be several bytes.
SELECT o.id, n.body FROM shop.web_order o LEFT JOIN shop.gid_note n ON n.gid = encode(convert_to(o.email, 'UTF8'), 'base64')
-- problem 2:53 no way leads from a changed row of shop.gid_note (alias n) to the orders that it changes: `ENCODE(convert_to(o.email, 'UTF8'), 'base64')` prints a value whose text isn't sure
-- hint keep it in a column; encode is followed of constants, whole numbers and uuid, as base64 or hex; or list "shop.gid_note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead printed_base64
