SELECT o.id, x.n FROM shop.orders o CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM shop.line_names l WHERE l.order_id = o.id
    UNION ALL SELECT t.pieces FROM shop.item_totals t WHERE t.order_id = o.id
) x
-- key shop.orders(id)
-- o: key id
-- item: column order_id
-- item: column order_id
-- item_archive: column order_id
-- p: reverse id if name IS NOT NULL via shop.item
-- p: reverse id if name IS NOT NULL via shop.item_archive
