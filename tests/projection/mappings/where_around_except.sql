SELECT o.id FROM shop.orders o WHERE EXISTS (
    SELECT FROM (SELECT l.order_id, l.qty FROM shop.line l WHERE l.deleted_at IS NULL EXCEPT SELECT t.order_id, t.qty FROM shop.typed_line t WHERE t.kind = 'x') d
    WHERE d.order_id = o.id AND d.qty = 2)
-- key shop.orders(id)
-- o: key id
-- l: column order_id if qty = 2 AND deleted_at IS NULL
-- t: column order_id if kind = 'x' AND qty = 2
