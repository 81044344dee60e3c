SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.ref = format('sale.line,%I', o.id)
-- problem 1:53 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `FORMAT('sale.line,%I', o.id)` prints a value whose text isn't sure
-- hint write it with ||, and coalesce where NULL is meant to be empty: 'a,' || x.id::text; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead printed_format
-- instead expression_prefixed_id
