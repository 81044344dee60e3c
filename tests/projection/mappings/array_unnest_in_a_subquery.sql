SELECT o.id, (
    SELECT string_agg(t.label, ',' ORDER BY t.id) FROM ROWS FROM (unnest(o.small_ids)) AS e(id) JOIN shop.tag t USING (id)
) AS tags
FROM shop.list_order o
-- key shop.list_order(id)
-- o: key id
-- t: reverse id via shop.list_order
