-- concat keeps the blanks of char(n), which a cast to text cuts.
SELECT o.code AS id, m.name FROM shop.corder o LEFT JOIN shop.member m ON m.ref = concat(o.code, '1')
-- problem 2:58 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `CONCAT(o.code, '1')` prints a value whose text isn't sure
-- hint write it with ||, and coalesce where NULL is meant to be empty: 'a,' || x.id::text; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead expression_of_char
-- instead expression_prefixed_id
