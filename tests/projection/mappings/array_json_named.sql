SELECT o.id, t.label, u.code
FROM shop.list_order o
LEFT JOIN jsonb_array_elements(o.lines) WITH ORDINALITY AS l(line, place) ON true
LEFT JOIN shop.tag t ON t.id = (l.line -> 'tag' ->> 'id')::bigint
LEFT JOIN shop.tag u ON u.code = l.line #>> '{sku}' AND u.label = l.line ->> 'label'
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
-- u: reverse code, label via shop.list_order
