-- Rows of one order ranked against each other, orders of one buyer counted, an anti-join.
WITH ranked AS (
    SELECT l.*, rank() OVER (PARTITION BY l.order_id ORDER BY l.price DESC NULLS LAST, l.id, l.kind) AS place
    FROM public.line AS l
)
SELECT o.id AS id, o.placed AS created_at, 'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B', 'tags',
        jsonb_build_array((SELECT count(*)::text FROM public.orders AS p WHERE p.buyer_id = o.buyer_id))) AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_agg(jsonb_build_object('id', r.id || '-' || r.kind, 'product_id', r.kind, 'sku', 'place-' || r.place,
        'title', coalesce(r.title, '-'), 'quantity', coalesce(r.qty, 1), 'price_set', coalesce(r.price, 0))
        ORDER BY r.place) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments
FROM public.orders AS o
JOIN ranked AS r ON r.order_id = o.id
WHERE NOT EXISTS (SELECT 1 FROM public.event AS e WHERE e.order_id = o.id AND e.what = 'hide')
GROUP BY o.id
