-- A window over the orders of a customer, and a join that is no equality of columns.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_build_array(jsonb_build_object('id', 'handling', 'product_id', 'handling', 'sku', 'handling',
        'title', 'Handling', 'quantity', 1, 'price_set', 0)) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    nth.place || ' of ' || nth.orders AS sales_channel,
    (SELECT jsonb_agg(t.label ORDER BY t.code) FROM legacy.tier AS t WHERE t.code <= c.tier_code AND t.label IS NOT NULL) AS tags
FROM legacy.orders AS o
JOIN (
    SELECT e.order_id, row_number() OVER w AS place, count(*) OVER (PARTITION BY e.cust_id) AS orders
    FROM legacy.orders AS e WINDOW w AS (PARTITION BY e.cust_id ORDER BY e.placed, e.order_id)
) AS nth ON nth.order_id = o.order_id
LEFT JOIN legacy.customer AS c ON c.cust_id = o.cust_id
