-- CTEs, one of them grouped; orders without a sold item leave the mapping.
WITH line AS (
    SELECT i.order_id, i.item_id, greatest(coalesce(i.qty, 1), 1) AS qty, coalesce(i.price, 0) AS price,
        p.sku, coalesce(p.title, 'untitled') AS title, b.name AS brand
    FROM legacy.item AS i
    JOIN legacy.product AS p ON p.sku = i.sku
    LEFT JOIN legacy.brand AS b ON b.brand_id = p.brand_id
),
lines AS (
    SELECT l.order_id, jsonb_agg(jsonb_build_object(
        'id', l.item_id::text, 'product_id', l.sku, 'sku', l.sku, 'title', l.title, 'vendor', l.brand,
        'quantity', l.qty, 'price_set', l.price
    )) AS all_lines
    FROM line AS l GROUP BY l.order_id
)
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', coalesce(c.name, 'nobody'), 'last_name', '-',
        'tags', CASE WHEN t.label IS NOT NULL THEN jsonb_build_array(t.label) END) AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    lines.all_lines AS line_items, NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines,
    (
        SELECT jsonb_agg(jsonb_build_object('id', p.parcel_id::text, 'shipping_date', p.sent, 'line_items', (
            SELECT jsonb_agg(jsonb_build_object('id', l.item_id::text, 'quantity', CASE WHEN pi.row_id = (
                SELECT min(first.row_id) FROM legacy.parcel_item AS first WHERE first.item_id = l.item_id
            ) THEN l.qty ELSE 0 END) ORDER BY pi.row_id)
            FROM legacy.parcel_item AS pi
            JOIN line AS l ON l.item_id = pi.item_id AND l.order_id = p.order_id
            WHERE pi.parcel_id = p.parcel_id
        )) ORDER BY p.parcel_id)
        FROM legacy.parcel AS p
        WHERE p.order_id = o.order_id AND p.sent IS NOT NULL
    ) AS fulfillments
FROM legacy.orders AS o
JOIN lines ON lines.order_id = o.order_id
LEFT JOIN legacy.customer AS c ON c.cust_id = o.cust_id
LEFT JOIN legacy.tier AS t ON t.code = c.tier_code
