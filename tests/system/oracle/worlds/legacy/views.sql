-- Nested views.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object('id', s.item_id::text, 'product_id', s.sku, 'sku', s.sku, 'title', s.title,
        'vendor', s.brand, 'quantity', greatest(coalesce(s.qty, 1), 1), 'price_set', s.price))
        FROM legacy.sold_goods AS s WHERE s.order_id = o.order_id) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments
FROM legacy.orders AS o
WHERE EXISTS (SELECT 1 FROM legacy.sold_goods AS any_of WHERE any_of.order_id = o.order_id)
