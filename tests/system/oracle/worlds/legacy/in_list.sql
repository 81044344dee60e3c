-- IN and NOT IN as values, not as conditions.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_build_array(jsonb_build_object('id', 'handling', 'product_id', 'handling', 'sku', 'handling',
        'title', 'Handling', 'quantity', 1, 'price_set', 0)) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    CASE WHEN o.promo IN (SELECT k.word FROM legacy.blocked AS k) THEN 'blocked' ELSE o.promo END AS sales_channel,
    jsonb_build_array(coalesce((o.cust_id NOT IN (
        SELECT c.cust_id FROM legacy.customer AS c WHERE c.tier_code IN (SELECT t.code FROM legacy.tier AS t)
    ))::text, 'unknown')) AS tags
FROM legacy.orders AS o
