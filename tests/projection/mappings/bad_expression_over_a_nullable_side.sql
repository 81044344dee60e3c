-- A member is joined to orders without a note, too.
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member_note n ON n.id = o.external_id
LEFT JOIN shop.member m ON m.email = coalesce(n.email, 'bob@x')
-- problem 5:11 no way leads
