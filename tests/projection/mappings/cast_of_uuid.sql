SELECT u.id, (SELECT count(*) FROM shop.uref r WHERE r.uorder_text = u.id::text) AS n FROM shop.uorder u
-- key shop.uorder(id)
-- u: key id
-- r: reverse uorder_text via shop.uorder
