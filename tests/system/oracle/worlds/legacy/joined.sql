-- Joins of derived tables, refunds two steps away, and a self-join for the customer's first order.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', coalesce(c.name, 'A'), 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    items.lines AS line_items, NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    back.refunds AS refunds,
    CASE WHEN before.first_order = o.order_id THEN jsonb_build_array('first') END AS tags,
    CASE WHEN EXISTS (SELECT 1 FROM legacy.blocked AS k WHERE k.word = o.promo) THEN 'blocked' ELSE o.promo END AS sales_channel
FROM (legacy.orders AS o LEFT JOIN legacy.customer AS c USING (cust_id))
JOIN (
    SELECT i.order_id, jsonb_agg(jsonb_build_object('id', i.item_id::text, 'product_id', p.sku, 'sku', p.sku,
        'title', coalesce(p.title, '?'), 'quantity', greatest(coalesce(i.qty, 1), 1), 'price_set', coalesce(i.price, 0))
        ORDER BY i.item_id DESC) AS lines
    FROM legacy.item AS i, legacy.product AS p WHERE p.sku = i.sku GROUP BY i.order_id
) AS items ON items.order_id = o.order_id
LEFT JOIN (
    SELECT r.order_id, jsonb_agg(jsonb_build_object('id', r.refund_id::text, 'created_at', coalesce(r.made, '2024-02-01'),
        'note', r.memo, 'line_items', (
            SELECT jsonb_agg(jsonb_build_object('line_item_id', ri.item_id::text, 'quantity', 1,
                'subtotal_set', coalesce(ri.amount, 0), 'total_tax_set', 0) ORDER BY ri.row_id)
            FROM legacy.refund_item AS ri
            JOIN legacy.item AS i ON i.item_id = ri.item_id
            JOIN legacy.product AS p ON p.sku = i.sku
            WHERE ri.refund_id = r.refund_id AND i.order_id = r.order_id
        ))) AS refunds
    FROM legacy.refund AS r GROUP BY r.order_id
) AS back ON back.order_id = o.order_id
LEFT JOIN (
    SELECT e.cust_id, min(e.order_id) AS first_order FROM legacy.orders AS e GROUP BY e.cust_id
) AS before ON before.cust_id = o.cust_id
