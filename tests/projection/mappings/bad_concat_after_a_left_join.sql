-- A member with 'sale.line,' is joined to orders without a note.
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member_note n ON n.id = o.external_id
LEFT JOIN shop.member m ON m.ref = concat('sale.line,', n.id)
-- problem 5:11 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `m.ref = CONCAT('sale.line,', n.id)` joins it by a row of an outer join, and any order may see it where there is none
-- hint write || in the place of concat or format: it is NULL where there is none; or join it by a column of the order, or of a table that an inner join joins to the order; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead printed_concat_after_a_left_join
