-- A new member takes a note from the orders without a text, and no column of the member says which those are.
SELECT o.id, n.body
FROM shop.web_order o
JOIN (shop.member_note n LEFT JOIN shop.member m ON m.id = n.member_id) ON coalesce(lower(m.email), 'x') = lower(o.email)
-- problem 4:7 no way leads from a changed row of shop.member_note (alias n) or shop.member (alias m) to the orders that it changes: `COALESCE(LOWER(m.email), 'x') = LOWER(o.email)` joins it by a row of an outer join, and any order may see it where there is none
-- hint join it by a column of the order, or of a table that an inner join joins to the order; or list "shop.member_note", "shop.member" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_nullable_side
