SELECT
    s.no::text AS id,
    s.placed_at AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    s.note AS sales_channel,
    jsonb_build_object('email', b.email, 'first_name', b.given, 'last_name', b.family) AS customer,
    jsonb_build_object(
        'address1', p.street, 'city', p.city, 'province_code', p.state, 'zip', p.zip, 'country_code', 'US'
    ) AS shipping_address,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', replace(e.id, '_', '-'), 'product_id', l.product, 'sku', l.product, 'title', l.title, 'quantity', e.quantity,
                'price_set', l.price
            )
            ORDER BY e.id
        )
        FROM web.entry AS e
        JOIN web.line AS l ON l.id = e.line_id AND l.deleted_at IS NULL
        WHERE e.sale_id = s.id AND e.deleted_at IS NULL
    ) AS line_items,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments,
    (
        SELECT jsonb_agg(a.tracking ORDER BY a.tracking)
        FROM web.sale_parcel AS sp
        JOIN web.parcel AS a ON a.id = sp.parcel_id AND a.deleted_at IS NULL
        WHERE sp.sale_id = s.id AND sp.deleted_at IS NULL
    ) AS tags
FROM web.sale AS s
LEFT JOIN web.buyer AS b ON b.id = s.buyer_id
LEFT JOIN web.place AS p ON p.id = s.place_id
WHERE s.deleted_at IS NULL
