SELECT o.id, (SELECT jsonb_agg(n.body) FROM shop.note n WHERE n.order_id = o.id AND n.body = 'a') AS notes,
    (SELECT array_agg(DISTINCT n.body) FROM shop.note n WHERE n.order_id = o.id) AS other,
    (SELECT jsonb_agg(x.body) FROM (SELECT m.body FROM shop.note m WHERE m.order_id = o.id ORDER BY m.body) x) AS more
FROM shop.orders o
-- warning 1:22 jsonb_agg without ORDER BY
-- key shop.orders(id)
-- o: key id
-- n: column order_id
-- n: column order_id if body = 'a'
-- m: column order_id
