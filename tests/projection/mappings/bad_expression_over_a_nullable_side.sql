-- A member is joined to orders without a note, too.
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member_note n ON n.id = o.external_id
LEFT JOIN shop.member m ON m.email = coalesce(n.email, 'bob@x')
-- problem 5:11 no way leads from a changed row of shop.member (alias m) to the orders that it changes: `m.email = COALESCE(n.email, 'bob@x')` joins it by a row of an outer join, and any order may see it where there is none
-- hint join it by a column of the order, or of a table that an inner join joins to the order; or list "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_nullable_side
