SELECT o.id, (
    SELECT max(t.label) FROM jsonb_array_elements_text(o.lines -> 0 -> 'tags') e JOIN shop.tag t ON t.code = e.value
) AS label
FROM shop.list_order o
WHERE jsonb_typeof(o.lines -> 0 -> 'tags') = 'array'
-- key shop.list_order(id)
-- o: key id
-- t: reverse code via shop.list_order
