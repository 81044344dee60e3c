SELECT o.id, t.label, u.label AS code
FROM shop.list_order o, unnest(o.codes) word, unnest(o.tag_ids), shop.tag t, shop.tag u
WHERE t.id = unnest AND lower(word) = u.code
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
-- u: reverse code via shop.list_order
