-- One row reached by either of two columns.
SELECT o.order_id::text AS id, coalesce(o.placed, '2024-01-01') AS created_at,
    'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_build_array(jsonb_build_object('id', 'handling', 'product_id', 'handling', 'sku', 'handling',
        'title', 'Handling', 'quantity', 1, 'price_set', 0)) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(g.word ORDER BY g.tag_id) FROM legacy.tag AS g
        WHERE (g.order_id = o.order_id OR g.order_id = o.cust_id) AND g.word IS NOT NULL) AS tags,
    (SELECT b.name FROM legacy.brand AS b JOIN legacy.product AS p ON b.brand_id = p.brand_id
        JOIN legacy.item AS i ON i.sku = p.sku WHERE o.order_id IN (i.order_id, i.qty) ORDER BY i.item_id, b.brand_id LIMIT 1)
        AS sales_channel
FROM legacy.orders AS o
