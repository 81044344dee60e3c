SELECT o.id, n.body FROM shop.web_order o
LEFT JOIN shop.gid_note n ON convert_from(decode(n.gid, 'base64'), 'UTF8') = 'Order:' || o.id
-- problem 2:11 no way leads from a changed row of shop.gid_note (alias n) to the orders that it changes: `convert_from(DECODE(n.gid, 'base64'), 'UTF8')` fails for a text that wasn't encoded so
-- hint write encode(convert_to(..., 'UTF8'), 'base64') on the other side of =; or list "shop.gid_note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead printed_base64
