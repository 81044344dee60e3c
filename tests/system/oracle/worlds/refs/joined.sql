SELECT o.id::text AS id, o.placed AS created_at, 'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'last_name', coalesce(g.name, '-'), 'first_name', coalesce((
        SELECT string_agg(coalesce(m.name, '?'), ',' ORDER BY m.id) FROM public.member AS m WHERE lower(m.email) = lower(o.email)
    ), '-')) AS customer,
    jsonb_build_object('address1', '1 Street', 'city', coalesce(a.city, '-'), 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object('id', i.id, 'product_id', i.id, 'sku', '-', 'title', coalesce(i.title, '-'),
        'quantity', coalesce(i.qty, 1), 'price_set', (
            SELECT count(*) FROM public.fee AS f WHERE f.origin = 'sale.line,' || i.id
        )) ORDER BY i.id)
        FROM public.item AS i WHERE i.order_id = o.id) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(found.word ORDER BY found.word) FROM (
        SELECT t.word FROM public.tag AS t WHERE t.id = ANY (o.tag_ids) AND t.word IS NOT NULL
        UNION ALL SELECT f.label FROM public.fee AS f WHERE f.origin = 'sale.order,' || o.id AND f.label IS NOT NULL
    ) AS found) AS tags
FROM public.orders AS o
LEFT JOIN public.address AS a ON a.id = coalesce(o.ship_id, o.bill_id)
LEFT JOIN public.agent AS g ON g.id::text = o.meta ->> 'agent'
WHERE EXISTS (SELECT FROM public.item AS i WHERE i.order_id = o.id)
