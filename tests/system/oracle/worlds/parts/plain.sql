SELECT o.id::text AS id, o.placed AS created_at, 'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', coalesce(b.name, '-'), 'last_name', coalesce(g.label, '-'))
        AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object('id', l.id || '-' || l.kind, 'product_id', l.kind, 'sku', l.kind,
        'title', coalesce(l.title, '-'), 'quantity', coalesce(l.qty, 1), 'price_set', coalesce(l.price, 0)))
        FROM public.line AS l WHERE l.order_id = o.id AND l.kind <> 'gift') AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(e.what ORDER BY e.event_id) FROM public.event AS e
        WHERE e.order_id = o.id AND e.what IS NOT NULL) AS tags,
    CASE WHEN latest.what = 'cancel' THEN coalesce(latest.happened, '2024-01-01') END AS cancelled_at,
    CASE WHEN latest.what = 'cancel' THEN 'other' END AS cancel_reason
FROM public.orders AS o
LEFT JOIN public.buyer AS b ON b.id = o.buyer_id
LEFT JOIN public.buyer_group AS g ON g.id = b.group_id
LEFT JOIN LATERAL (
    SELECT e.what, e.happened FROM public.event AS e WHERE e.order_id = o.id ORDER BY e.event_id DESC LIMIT 1
) AS latest ON true
WHERE EXISTS (SELECT FROM public.line AS l WHERE l.order_id = o.id AND l.kind <> 'gift')
