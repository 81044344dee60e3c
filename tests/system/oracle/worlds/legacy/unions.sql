-- UNION ALL of two child tables in a derived table, UNION of words, and a window over the order's items.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_build_array(jsonb_build_object('id', 'handling', 'product_id', 'handling', 'sku', 'handling',
        'title', 'Handling', 'quantity', 1, 'price_set', 0)) || coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', n.item_id::text, 'product_id', n.sku, 'sku', n.sku, 'title',
            'No. ' || n.number, 'quantity', 1, 'price_set', coalesce(n.price, 0)))
        FROM (SELECT i.*, row_number() OVER (PARTITION BY i.order_id ORDER BY i.item_id) AS number
            FROM legacy.item AS i WHERE i.sku IS NOT NULL) AS n
        WHERE n.order_id = o.order_id
    ), '[]') AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(w.word ORDER BY w.word) FROM (
        SELECT g.order_id, g.word FROM legacy.tag AS g
        UNION
        SELECT p.order_id, p.carrier FROM legacy.parcel AS p
        UNION ALL
        SELECT r.order_id, r.memo FROM legacy.refund AS r
    ) AS w WHERE w.order_id = o.order_id AND w.word IS NOT NULL) AS tags
FROM legacy.orders AS o
