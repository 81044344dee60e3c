-- WITH RECURSIVE over parcels and what is in them, and DISTINCT ON.
WITH RECURSIVE chain AS (
    SELECT o.order_id, o.order_id AS reached, 1 AS depth FROM legacy.orders AS o
    UNION ALL
    SELECT c.order_id, p.item_id, c.depth + 1 FROM chain AS c
    JOIN legacy.parcel_item AS p ON p.parcel_id = c.reached WHERE c.depth < 3
)
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_build_array(jsonb_build_object('id', 'handling', 'product_id', 'handling', 'sku', 'handling',
        'title', 'Handling', 'quantity', 1, 'price_set', 0)) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(c.reached::text ORDER BY c.depth, c.reached) FROM chain AS c WHERE c.order_id = o.order_id) AS tags,
    newest.memo AS sales_channel
FROM legacy.orders AS o
LEFT JOIN (
    SELECT DISTINCT ON (r.order_id) r.order_id, r.memo FROM legacy.refund AS r ORDER BY r.order_id, r.made DESC NULLS LAST, r.refund_id
) AS newest ON newest.order_id = o.order_id
