-- LATERAL with LIMIT, scalar subqueries, EXISTS and NOT EXISTS, and other orders of the same customer.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name',
        (SELECT count(*)::text FROM legacy.orders AS other WHERE other.cust_id = o.cust_id)) AS customer,
    jsonb_build_object('address1', '1 Street', 'city', coalesce(last_seen.place, 'Austin'), 'province_code', 'TX',
        'zip', '78701', 'country_code', 'US') AS shipping_address,
    jsonb_build_array(jsonb_build_object('id', 'handling', 'product_id', 'handling', 'sku', 'handling',
        'title', 'Handling', 'quantity', 1, 'price_set', 0)) || coalesce(sold.goods, '[]') AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(g.word ORDER BY g.word) FROM legacy.tag AS g
        WHERE g.order_id = o.order_id AND g.word IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM legacy.blocked AS k WHERE k.word = g.word)) AS tags,
    CASE WHEN EXISTS (SELECT 1 FROM legacy.refund AS r WHERE r.order_id = o.order_id AND r.made IS NOT NULL)
        THEN 'refunded' END AS sales_channel
FROM legacy.orders AS o
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('id', i.item_id::text, 'product_id', i.sku, 'sku', i.sku, 'quantity', 1,
        'price_set', coalesce(i.price, 0), 'title', coalesce((
            SELECT p.title || coalesce(' by ' || (SELECT b.name FROM legacy.brand AS b WHERE b.brand_id = p.brand_id), '')
            FROM legacy.product AS p WHERE p.sku = i.sku
        ), 'unknown'))) AS goods
    FROM legacy.item AS i WHERE i.order_id = o.order_id AND i.sku IS NOT NULL
) AS sold ON true
LEFT JOIN LATERAL (
    SELECT s.place FROM legacy.parcel AS p JOIN legacy.scan AS s ON s.parcel_id = p.parcel_id
    WHERE p.order_id = o.order_id ORDER BY s.seen DESC NULLS LAST, s.scan_id DESC LIMIT 1
) AS last_seen ON true
WHERE o.status IS DISTINCT FROM 'XX'
